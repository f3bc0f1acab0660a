/// Whom to wake after a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a job may lie unseen until the named workers are woken"]
pub enum Wake {
    /// Nobody: a worker that is awake will find the job.
    #[default]
    Nobody,
    /// This worker.
    One(usize),
    /// Each of these workers; no number occurs twice.
    Many(Vec<usize>),
}

impl Wake {
    /// Calls `wake` with the number of each worker to be woken.
    pub fn each(&self, mut wake: impl FnMut(usize)) {
        match self {
            Self::Nobody => {}
            Self::One(worker) => wake(*worker),
            Self::Many(workers) => workers.iter().copied().for_each(wake),
        }
    }

    /// Both: everybody whom `self` or `other` names, each once.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nobody, wake) | (wake, Self::Nobody) => wake,
            (Self::One(a), Self::One(b)) if a == b => Self::One(a),
            (a, b) => {
                let mut workers = match a {
                    Self::Many(workers) => workers,
                    Self::One(worker) => vec![worker],
                    Self::Nobody => Vec::new(),
                };
                b.each(|worker| {
                    if !workers.contains(&worker) {
                        workers.push(worker);
                    }
                });
                Self::Many(workers)
            }
        }
    }
}
