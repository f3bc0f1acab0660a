use std::collections::VecDeque;

/// The idle workers, the one that has been idle longest first.
///
/// Finding one is a search. Workers are few, and a search through some dozen small entries is
/// cheaper than what a better structure would cost for each of them.
pub(super) struct Line {
    idlers: VecDeque<Idler>,
    /// How many of them are free.
    free: usize,
}

struct Idler {
    worker: usize,
    /// None of its jobs is alive: it is not just suspended.
    free: bool,
}

impl Line {
    /// An empty line that never allocates for up to `workers` workers.
    pub(super) fn with_capacity(workers: usize) -> Self {
        Self { idlers: VecDeque::with_capacity(workers), free: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.idlers.len()
    }

    /// Puts `worker`, which is not in line, at the end.
    pub(super) fn join(&mut self, worker: usize, free: bool) {
        self.idlers.push_back(Idler { worker, free });
        self.free += usize::from(free);
    }

    /// Removes `worker`, and says whether it was there.
    pub(super) fn remove(&mut self, worker: usize) -> bool {
        let Some(place) = self.place(worker) else { return false };
        let idler = self.idlers.remove(place);
        self.free -= usize::from(idler.is_some_and(|idler| idler.free));
        true
    }

    /// `worker` is free from now on, at the place it has; nothing if it is not in line.
    pub(super) fn set_free(&mut self, worker: usize) {
        if let Some(place) = self.place(worker) {
            let idler = &mut self.idlers[place];
            self.free += usize::from(!idler.free);
            idler.free = true;
        }
    }

    /// The free worker that has been idle longest.
    pub(super) fn longest_free(&self) -> Option<usize> {
        // A line of suspended workers, which is what a server under load has, is not searched.
        if self.free == 0 {
            return None;
        }
        self.idlers.iter().find(|idler| idler.free).map(|idler| idler.worker)
    }

    /// All in line, the longest idle first.
    pub(super) fn workers(&self) -> impl Iterator<Item = usize> + '_ {
        self.idlers.iter().map(|idler| idler.worker)
    }

    fn place(&self, worker: usize) -> Option<usize> {
        self.idlers.iter().position(|idler| idler.worker == worker)
    }
}
