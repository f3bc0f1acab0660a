//! Who waits for whom: no cycle is ever let in.
#![cfg(not(thrasks_loom))]

use proptest::prelude::*;
use thrasks_bridge::Waits;

#[test]
fn a_loop_does_not_wait_for_itself_nor_for_who_waits_for_it() {
    let waits = Waits::new();
    assert!(waits.begin(Some(1), 1).unwrap_err().is_itself());
    let chain: Vec<_> = (1..10).map(|i| waits.begin(Some(i), i + 1).unwrap()).collect();
    for i in 1..10 {
        assert!(!waits.begin(Some(10), i).unwrap_err().is_itself());
    }
    let others = (waits.begin(Some(11), 1).unwrap(), waits.begin(None, 1).unwrap());
    drop(chain);
    assert!(waits.begin(Some(10), 1).is_ok());
    drop(others);
    assert_eq!(format!("{waits:?}"), "Waits { waiting: 0 }");
}

#[test]
fn the_same_wait_twice_is_over_when_both_are() {
    let waits = Waits::new();
    let (first, second) = (waits.begin(Some(1), 2).unwrap(), waits.begin(Some(1), 2).unwrap());
    drop(first);
    assert!(waits.begin(Some(2), 1).is_err());
    drop(second);
    assert!(waits.begin(Some(2), 1).is_ok());
}

/// Whether `to` is reached from `from`, by way of at most as many as there are.
fn reaches(edges: &[(u8, u8)], from: u8, to: u8) -> bool {
    let mut reached = vec![from];
    for _ in 0..edges.len() {
        reached.extend(
            edges.iter().filter(|(a, _)| reached.contains(a)).map(|(_, b)| *b).collect::<Vec<_>>(),
        );
        reached.sort_unstable();
        reached.dedup();
    }
    reached.contains(&to)
}

proptest! {
    #[test]
    fn a_wait_is_refused_exactly_when_it_would_close_a_cycle(
        steps in prop::collection::vec((0u8..6, 0u8..6, any::<bool>()), 0..60),
    ) {
        let waits = Waits::new();
        let mut guards = Vec::new();
        for (from, on, end) in steps {
            if end && !guards.is_empty() {
                let index = usize::from(from) % guards.len();
                drop(guards.swap_remove(index));
                continue;
            }
            let edges: Vec<(u8, u8)> = guards.iter().map(|(edge, _)| *edge).collect();
            let cycle = from == on || reaches(&edges, on, from);
            match waits.begin(Some(from), on) {
                Ok(guard) => {
                    prop_assert!(!cycle);
                    guards.push(((from, on), guard));
                }
                Err(error) => {
                    prop_assert!(cycle);
                    prop_assert_eq!(error.is_itself(), from == on);
                }
            }
        }
    }
}
