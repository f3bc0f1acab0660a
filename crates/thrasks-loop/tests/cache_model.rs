//! The cache of warm threads against a simple model of it, over random sequences of calls.
#![cfg(not(thrasks_loom))]

use std::time::Duration;

use proptest::{prelude::*, sample::Index};
use thrasks_loop::{LoopCache, LoopHandle, LoopThread};

#[derive(Debug, Clone)]
enum Call {
    /// A new thread, for one of three keys.
    New(u8),
    /// One that was given out before comes back.
    Back(u8, Index),
    Take(u8, usize),
    /// One of all there ever were is asked to retire, at once or never.
    Retire(Index, bool),
    /// One of all there ever were is stopped, wherever it is.
    Stop(Index),
    Drain,
    Close,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        6 => (0..3_u8).prop_map(Call::New),
        4 => (0..3_u8, any::<Index>()).prop_map(|(key, at)| Call::Back(key, at)),
        6 => (0..3_u8, 0..4_usize).prop_map(|(key, count)| Call::Take(key, count)),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(at, now)| Call::Retire(at, now)),
        2 => any::<Index>().prop_map(Call::Stop),
        1 => Just(Call::Drain),
        1 => Just(Call::Close),
    ];
    prop::collection::vec(call, 0..30)
}

fn names(threads: &[LoopThread]) -> Vec<usize> {
    threads.iter().map(|thread| thread.name().parse().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..<_>::default() })]
    #[test]
    fn a_cache_is_its_model(calls in calls()) {
        let cache = LoopCache::<u8, _>::new();
        // All there ever were, by number; those that were given out; those inside, oldest first.
        let mut all: Vec<LoopHandle<_>> = Vec::new();
        let mut out: Vec<LoopThread> = Vec::new();
        let mut inside: Option<Vec<(u8, usize)>> = Some(Vec::new());
        for call in calls {
            match call {
                Call::New(_) | Call::Back(..) => {
                    let (key, thread) = match call {
                        Call::New(key) => {
                            let name = all.len().to_string();
                            let thread = LoopThread::builder().name(name).start().unwrap();
                            all.push(thread.handle());
                            (key, thread)
                        }
                        Call::Back(key, at) if !out.is_empty() => {
                            (key, out.swap_remove(at.index(out.len())))
                        }
                        _ => continue,
                    };
                    if let Some(inside) = inside.as_mut().filter(|_| !thread.handle().is_stopping()) {
                        inside.push((key, thread.name().parse().unwrap()));
                    }
                    cache.put(key, thread);
                }
                Call::Take(key, count) => {
                    let mut expected = Vec::new();
                    if let Some(inside) = &mut inside {
                        // Stopped ones that are come across on the way are dropped.
                        for at in (0..inside.len()).rev() {
                            if expected.len() < count && inside[at].0 == key {
                                let (_, number) = inside.remove(at);
                                if !all[number].is_stopping() {
                                    expected.push(number);
                                }
                            }
                        }
                    }
                    let taken = cache.take(&key, count);
                    prop_assert_eq!(names(&taken), expected);
                    out.extend(taken);
                }
                Call::Retire(at, now) if !all.is_empty() => {
                    let number = at.index(all.len());
                    let place = inside.as_mut().and_then(|inside| {
                        let at = inside.iter().position(|(_, of)| *of == number)?;
                        Some((inside, at))
                    });
                    let age = if now { Duration::ZERO } else { Duration::MAX };
                    let retired = cache.retire(&all[number], age);
                    prop_assert_eq!(retired.is_some(), now && place.is_some());
                    if let Some((inside, at)) = place.filter(|_| now) {
                        inside.remove(at);
                    }
                }
                Call::Stop(at) if !all.is_empty() => all[at.index(all.len())].stop(),
                Call::Retire(..) | Call::Stop(_) => {}
                Call::Drain => {
                    let expected = inside.as_mut().map(std::mem::take).unwrap_or_default();
                    let expected: Vec<_> = expected.into_iter().map(|(_, number)| number).collect();
                    prop_assert_eq!(names(&cache.drain()), expected);
                }
                Call::Close => {
                    let expected = inside.take().unwrap_or_default();
                    let expected: Vec<_> = expected.into_iter().map(|(_, number)| number).collect();
                    prop_assert_eq!(names(&cache.close()), expected);
                }
            }
            prop_assert_eq!(cache.len(), inside.as_ref().map_or(0, Vec::len));
        }
        // Whatever became of them, they end when nobody has them.
        drop((cache, out));
        for handle in all {
            prop_assert!(handle.wait_exit(None));
        }
    }
}
