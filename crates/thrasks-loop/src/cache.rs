use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    LoopHandle, LoopThread,
    sync::{Mutex, lock},
};

/// Idle loop threads kept warm, so that whoever needs some for a while need not make them.
///
/// Threads are kept by a key: what tells one kind of loop from another. The one that became idle
/// last is taken first, since its caches are the warmest, and the others may retire. (Comparing
/// keys is all that is done with a lock held; a key's `eq` must not come back to the cache.)
///
/// Dropping the cache stops the threads in it.
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
    /// The one that became idle last is the last. `None` once closed. They are few: a search
    /// through them is cheaper than what a map would cost.
    idle: Mutex<Option<Vec<Idle<K, J>>>>,
}

struct Idle<K, J: Send + 'static> {
    key: K,
    thread: LoopThread<J>,
    since: Instant,
}

impl<K: Eq, J: Send + 'static> LoopCache<K, J> {
    /// An empty cache.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, Task};
    ///
    /// assert!(LoopCache::<u32, Task>::new().is_empty());
    /// ```
    #[must_use = "a cache is there to put threads in"]
    pub fn new() -> Self {
        Self { idle: Mutex::new(Some(Vec::new())) }
    }

    /// Takes up to `count` idle threads of a kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// assert_eq!(cache.take(&"a", 3).len(), 1);
    /// assert_eq!(cache.take(&"a", 3).len(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "dropping a LoopThread stops it"]
    pub fn take(&self, key: &K, count: usize) -> Vec<LoopThread<J>> {
        let mut found = Vec::new();
        let mut alive = 0;
        if let Some(idle) = &mut *lock(&self.idle) {
            let mut at = idle.len();
            while at > 0 && alive < count {
                at -= 1;
                if idle[at].key == *key {
                    let idle = idle.remove(at);
                    let usable = idle.thread.shared().is_usable();
                    alive += usize::from(usable);
                    found.push((idle, usable));
                }
            }
        }
        // Here, without the lock, the keys are dropped, and the threads that have ended.
        found.into_iter().filter(|(_, usable)| *usable).map(|(idle, _)| idle.thread).collect()
    }

    /// Keeps an idle thread. One that has ended, or was asked to, is dropped, and so is every thread once the cache
    /// is closed: that stops it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// assert_eq!(cache.len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn put(&self, key: K, thread: LoopThread<J>) {
        let new = Idle { key, thread, since: Instant::now() };
        let rejected = match &mut *lock(&self.idle) {
            Some(idle) if new.thread.shared().is_usable() => {
                idle.push(new);
                None
            }
            _ => Some(new),
        };
        drop(rejected);
    }

    /// Takes this very thread out, if it has been idle here for at least `age`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// let thread = LoopThread::builder().start()?;
    /// let handle = thread.handle();
    /// cache.put("a", thread);
    /// assert!(cache.retire(&handle, Duration::from_secs(60)).is_none());
    /// assert!(cache.retire(&handle, Duration::ZERO).is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "dropping a LoopThread stops it"]
    pub fn retire(&self, loop_: &LoopHandle<J>, age: Duration) -> Option<LoopThread<J>> {
        let old = {
            let mut idle = lock(&self.idle);
            let idle = idle.as_mut()?;
            let at = idle.iter().position(|idle| idle.thread.handle().is_same(loop_))?;
            if idle[at].since.elapsed() < age {
                return None;
            }
            idle.remove(at)
        };
        Some(old.thread)
    }

    /// How many threads are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// cache.put("b", LoopThread::builder().start()?);
    /// assert_eq!(cache.len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        lock(&self.idle).as_ref().map_or(0, Vec::len)
    }

    /// Whether no thread is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// assert!(!cache.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything out. The cache stays open.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// for thread in cache.drain() {
    ///     thread.join(None).expect("nothing keeps it");
    /// }
    /// assert!(cache.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "dropping a LoopThread stops it"]
    pub fn drain(&self) -> Vec<LoopThread<J>> {
        let idle = lock(&self.idle).as_mut().map(std::mem::take);
        threads(idle)
    }

    /// Takes everything out and keeps nothing from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_loop::{LoopCache, LoopThread};
    ///
    /// let cache = LoopCache::new();
    /// cache.put("a", LoopThread::builder().start()?);
    /// assert_eq!(cache.close().len(), 1);
    /// cache.put("a", LoopThread::builder().start()?);
    /// assert!(cache.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "dropping a LoopThread stops it"]
    pub fn close(&self) -> Vec<LoopThread<J>> {
        let idle = lock(&self.idle).take();
        threads(idle)
    }
}

fn threads<K, J: Send + 'static>(idle: Option<Vec<Idle<K, J>>>) -> Vec<LoopThread<J>> {
    idle.into_iter().flatten().map(|idle| idle.thread).collect()
}

impl<K: Eq, J: Send + 'static> Default for LoopCache<K, J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, J: Send + 'static> fmt::Debug for LoopCache<K, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = lock(&self.idle).as_ref().map_or(0, Vec::len);
        f.debug_struct("LoopCache").field("len", &len).finish()
    }
}
