//! The state machine of a group against a simple model of it, over random sequences of calls.
#![cfg(not(thrasks_loom))]

use proptest::prelude::*;
use thrasks_group::{GroupState, Refusal, Ticket};

#[derive(Debug, Clone)]
enum Call {
    Enter,
    Admit,
    /// The n-th of those inside leaves, with or without an error.
    Leave(prop::sample::Index, bool),
    Abort,
    BeginExit,
    TakeErrors,
    TakeErrorsAsTheyCame,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        8 => Just(Call::Admit),
        8 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(at, error)| Call::Leave(at, error)),
        1 => Just(Call::Enter),
        1 => Just(Call::Abort),
        1 => Just(Call::BeginExit),
        1 => Just(Call::TakeErrors),
        1 => Just(Call::TakeErrorsAsTheyCame),
    ];
    // Most groups are entered at once.
    (any::<u8>(), prop::collection::vec(call, 0..60)).prop_map(|(early, mut calls)| {
        if early > 20 {
            calls.insert(0, Call::Enter);
        }
        calls
    })
}

/// Everything that was ever said, in order.
#[derive(Default)]
struct Model {
    entered: bool,
    exiting: bool,
    aborting: bool,
    /// Those inside, in the order in which they came.
    inside: Vec<usize>,
    /// The errors that nobody has taken, as they came.
    errors: Vec<usize>,
}

impl Model {
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self { entered: false, .. } => Some(Refusal::NotEntered),
            Self { exiting: true, inside, .. } if inside.is_empty() => Some(Refusal::Finished),
            Self { aborting: true, .. } => Some(Refusal::ShuttingDown),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..<_>::default() })]
    #[test]
    fn the_state_machine_is_its_model(calls in calls()) {
        let (state, mut model) = (GroupState::<usize, usize>::new(), Model::default());
        let mut tickets: Vec<(usize, Ticket)> = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            match call {
                Call::Enter => {
                    prop_assert_eq!(state.enter().is_ok(), !model.entered);
                    model.entered = true;
                }
                // Members are told apart by the call that brought them in.
                Call::Admit => match (state.admit(number), model.refusal()) {
                    (Ok(ticket), None) => {
                        tickets.push((number, ticket));
                        model.inside.push(number);
                    }
                    (Err(refused), Some(refusal)) => {
                        prop_assert_eq!((refused.member, refused.refusal), (number, refusal));
                    }
                    (real, expected) => prop_assert!(false, "{real:?}, expected {expected:?}"),
                },
                Call::Leave(at, fails) => {
                    if tickets.is_empty() {
                        continue;
                    }
                    let (member, ticket) = tickets.swap_remove(at.index(tickets.len()));
                    model.inside.retain(|inside| *inside != member);
                    if fails {
                        model.errors.push(member);
                    }
                    let left = state.leave(ticket, fails.then_some(member));
                    prop_assert_eq!(left.member, member);
                    prop_assert_eq!(left.drained, model.inside.is_empty());
                }
                Call::Abort => {
                    let named = (!model.aborting).then(|| model.inside.clone());
                    prop_assert_eq!(state.abort(), named);
                    model.aborting = true;
                }
                Call::BeginExit => {
                    model.exiting = true;
                    prop_assert_eq!(state.begin_exit(), model.inside.is_empty());
                }
                Call::TakeErrors => {
                    // In the order in which those who failed came in.
                    model.errors.sort_unstable();
                    prop_assert_eq!(state.take_errors(), std::mem::take(&mut model.errors));
                }
                Call::TakeErrorsAsTheyCame => {
                    let errors = std::mem::take(&mut model.errors);
                    prop_assert_eq!(state.take_errors_as_they_came(), errors);
                }
            }
            prop_assert_eq!(state.refusal(), model.refusal());
            prop_assert_eq!(state.is_finished(), model.refusal() == Some(Refusal::Finished));
            prop_assert_eq!(state.is_entered(), model.entered);
            prop_assert_eq!(state.is_aborting(), model.aborting);
            prop_assert_eq!(state.len(), model.inside.len());
            prop_assert_eq!(state.is_empty(), model.inside.is_empty());
            prop_assert_eq!(state.error_count(), model.errors.len());
        }
    }
}
