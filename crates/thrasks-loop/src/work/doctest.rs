// What the examples of `Work` leave out: a pool with a driver that does what the example does, once, on the first loop.
// "posted" was posted to that loop, and its scheduler was given some jobs.

use std::{sync::mpsc, task::Waker};

use thrasks_loop::{Builder, Driver, LoopHandle, Work};

type Job = &'static str;
type Begin = (LoopHandle<Job>, mpsc::Sender<()>);

struct Once<F> {
    begin: mpsc::Receiver<Begin>,
    run: Option<F>,
}

impl<F: FnOnce(&Work<Job>, LoopHandle<Job>) + Send + 'static> Driver for Once<F> {
    type Job = Job;

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn run(self, work: Work<Job>) {
        // The other loops only wait for the end.
        let Ok((handle, ended)) = self.begin.recv() else { return };
        self.run.expect("the first loop's")(&work, handle);
        ended.send(()).expect("it is waited for");
    }
}

/// An assertion that fails there fails here.
pub fn in_run(
    loops: usize,
    jobs: &[Job],
    run: impl FnOnce(&Work<Job>, LoopHandle<Job>) + Send + 'static,
) {
    let mut run = Some(run);
    let (mut begin, receivers): (Vec<_>, Vec<_>) = (0..loops).map(|_| mpsc::channel()).unzip();
    let mut receivers = receivers.into_iter();
    let pool = Builder::new()
        .threads(loops)
        .name("solo")
        .build_with(|_| Once { begin: receivers.next().expect("as many"), run: run.take() })
        .expect("there is room for the threads");
    let first = pool.loops()[0].clone();
    first.post("posted").expect("the loop runs");
    for &job in jobs {
        pool.submit(job).expect("the pool is open");
    }
    let (ended, end) = mpsc::channel();
    begin.remove(0).send((first, ended)).expect("the loop runs");
    end.recv().expect("the example went wrong on the loop's thread");
}
