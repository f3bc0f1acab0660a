//! The channel against a model of it, one step after another.
#![cfg(not(thrasks_loom))]

use std::collections::VecDeque;

use proptest::prelude::*;
use thrasks_bridge::{Empty, Receiver, Sender, TrySendError, channel};

#[derive(Clone, Copy, Debug)]
enum Act {
    Send,
    Receive,
    Clone,
    DropSender,
    CloseSender,
    CloseReceiver,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => Just(Act::Send),
        20 => Just(Act::Receive),
        2 => Just(Act::Clone),
        2 => Just(Act::DropSender),
        1 => Just(Act::CloseSender),
        1 => Just(Act::CloseReceiver),
    ]
}

struct Model {
    items: VecDeque<u32>,
    capacity: Option<usize>,
    closed: bool,
}

impl Model {
    fn send(&mut self, item: u32) -> Result<(), TrySendError<u32>> {
        if self.closed {
            return Err(TrySendError::Closed(item));
        }
        if self.capacity.is_some_and(|capacity| self.items.len() >= capacity) {
            return Err(TrySendError::Full(item));
        }
        self.items.push_back(item);
        Ok(())
    }

    fn receive(&mut self, senders: usize) -> Result<u32, Empty> {
        let none = if self.closed || senders == 0 { Empty::Ended } else { Empty::Pending };
        self.items.pop_front().ok_or(none)
    }
}

proptest! {
    #[test]
    fn a_channel_does_what_its_model_does(
        capacity in prop::option::of(1usize..6),
        acts in prop::collection::vec(act(), 0..300),
    ) {
        let (sender, mut receiver): (Sender<u32>, Receiver<u32>) = channel(capacity);
        let mut senders = vec![sender];
        let mut model = Model { items: VecDeque::new(), capacity, closed: false };
        let mut sent = 0;
        for (item, act) in (0..).zip(acts) {
            match act {
                Act::Send => {
                    let Some(sender) = senders.last() else { continue };
                    let result = sender.try_send(item);
                    sent += u64::from(result.is_ok());
                    prop_assert_eq!(result, model.send(item));
                }
                Act::Receive => {
                    prop_assert_eq!(receiver.try_next(), model.receive(senders.len()));
                }
                Act::Clone => senders.extend(senders.first().cloned()),
                Act::DropSender => drop(senders.pop()),
                Act::CloseSender => {
                    if let Some(sender) = senders.last() {
                        sender.close();
                        model.closed = true;
                    }
                }
                Act::CloseReceiver => {
                    receiver.close();
                    model.closed = true;
                    model.items.clear();
                }
            }
            prop_assert_eq!(receiver.len(), model.items.len());
            prop_assert_eq!(receiver.sent(), sent);
            if let Some(sender) = senders.first() {
                prop_assert_eq!(sender.is_closed(), model.closed);
            }
        }
    }
}
