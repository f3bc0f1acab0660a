use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{LoopHandle, LoopThread, sync::lock};

/// Idle loop threads kept warm, so that whoever needs some for a while need not make them.
///
/// Threads are kept by a key: what tells one kind of loop from another. The one that became idle
/// last is taken first, since its caches are the warmest, and the others may retire.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thrasks_loop::{LoopCache, LoopThread};
///
/// let cache = LoopCache::new();
/// let thread = LoopThread::builder().name("warm").start()?;
/// let handle = thread.handle();
/// cache.put("default", thread);
///
/// assert!(cache.take(&"other", 1).is_empty());
/// assert_eq!(cache.take(&"default", 2).len(), 1);
/// assert!(cache.retire(&handle, Duration::ZERO).is_none(), "it is out on loan");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LoopCache<K, J: Send + 'static> {
    idle: Mutex<Option<HashMap<K, Vec<Idle<J>>>>>,
}

struct Idle<J: Send + 'static> {
    thread: LoopThread<J>,
    since: Instant,
}

impl<K: Hash + Eq, J: Send + 'static> LoopCache<K, J> {
    /// An empty cache.
    pub fn new() -> Self {
        Self { idle: Mutex::new(Some(HashMap::new())) }
    }

    /// Takes up to `count` idle threads of a kind.
    pub fn take(&self, key: &K, count: usize) -> Vec<LoopThread<J>> {
        let mut dead = Vec::new();
        let mut taken = Vec::with_capacity(count);
        let mut idle = lock(&self.idle);
        if let Some(list) = idle.as_mut().and_then(|idle| idle.get_mut(key)) {
            while taken.len() < count
                && let Some(Idle { thread, .. }) = list.pop()
            {
                if thread.handle().is_stopping() || thread.has_exited() {
                    dead.push(thread);
                } else {
                    taken.push(thread);
                }
            }
        }
        drop(idle);
        drop(dead);
        taken
    }

    /// Keeps an idle thread. One that has ended is dropped, and so is every thread once the cache
    /// is closed: that stops it.
    pub fn put(&self, key: K, thread: LoopThread<J>) {
        let rejected = match &mut *lock(&self.idle) {
            Some(idle) if !(thread.handle().is_stopping() || thread.has_exited()) => {
                idle.entry(key).or_default().push(Idle { thread, since: Instant::now() });
                None
            }
            _ => Some(thread),
        };
        drop(rejected);
    }

    /// Takes this very thread out, if it has been idle here for at least `age`.
    pub fn retire(&self, loop_: &LoopHandle<J>, age: Duration) -> Option<LoopThread<J>> {
        let mut idle = lock(&self.idle);
        let idle = idle.as_mut()?;
        let (list, at) = idle.values_mut().find_map(|list| {
            let at = list.iter().position(|idle| idle.thread.handle().is_same(loop_))?;
            Some((list, at))
        })?;
        (list[at].since.elapsed() >= age).then(|| list.remove(at).thread)
    }

    /// How many threads are kept.
    pub fn len(&self) -> usize {
        lock(&self.idle).as_ref().map_or(0, |idle| idle.values().map(Vec::len).sum())
    }

    /// Whether no thread is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything out. The cache stays open.
    pub fn drain(&self) -> Vec<LoopThread<J>> {
        let idle = lock(&self.idle).as_mut().map(std::mem::take);
        idle.into_iter().flatten().flat_map(|(_, list)| list).map(|idle| idle.thread).collect()
    }

    /// Takes everything out and keeps nothing from now on.
    pub fn close(&self) -> Vec<LoopThread<J>> {
        let idle = lock(&self.idle).take();
        idle.into_iter().flatten().flat_map(|(_, list)| list).map(|idle| idle.thread).collect()
    }
}

impl<K: Hash + Eq, J: Send + 'static> Default for LoopCache<K, J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq, J: Send + 'static> fmt::Debug for LoopCache<K, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopCache").field("len", &self.len()).finish()
    }
}
