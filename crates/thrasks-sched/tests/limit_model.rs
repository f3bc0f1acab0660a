//! The gate against a simple model of it, over random sequences of calls.

use std::collections::VecDeque;

use proptest::prelude::*;
use thrasks_sched::Limit;

#[derive(Debug, Clone)]
enum Call {
    Enter,
    TryEnter,
    Leave,
    Drain,
    Close,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        10 => Just(Call::Enter),
        4 => Just(Call::TryEnter),
        10 => Just(Call::Leave),
        1 => Just(Call::Drain),
        1 => Just(Call::Close),
    ];
    prop::collection::vec(call, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..<_>::default() })]
    #[test]
    fn a_limit_is_its_model(size in 1..5_usize, calls in calls()) {
        let limit = Limit::new(size);
        let (mut alive, mut waiting, mut closed) = (0_usize, VecDeque::new(), false);
        for (job, call) in calls.into_iter().enumerate() {
            let room = alive < size || closed;
            match call {
                Call::Enter => {
                    prop_assert_eq!(limit.enter(job), room.then_some(job));
                    if room {
                        alive += 1;
                    } else {
                        waiting.push_back(job);
                    }
                }
                Call::TryEnter => {
                    prop_assert_eq!(limit.try_enter(), room);
                    alive += usize::from(room);
                }
                // One who leaves without having entered changes nothing.
                Call::Leave => {
                    let next = waiting.pop_front();
                    if next.is_none() {
                        alive = alive.saturating_sub(1);
                    }
                    prop_assert_eq!(limit.leave(), next);
                }
                Call::Drain => prop_assert_eq!(limit.drain(), Vec::from(std::mem::take(&mut waiting))),
                Call::Close => {
                    closed = true;
                    prop_assert_eq!(limit.close(), Vec::from(std::mem::take(&mut waiting)));
                }
            }
            prop_assert_eq!((limit.alive(), limit.waiting()), (alive, waiting.len()));
            prop_assert!(closed || (alive <= size && (waiting.is_empty() || alive == size)));
        }
    }
}
