use super::{
    Sender,
    shared::{NoRoom, Shared},
};

/// The only sender of a channel: it asks for room before there is an item, and for all there is at
/// once.
pub(crate) struct Drain<T> {
    sender: Sender<T>,
    /// How many items may still be made before it has to ask again.
    room: usize,
    /// How many were sent, in the channel's steps.
    sent: usize,
}

impl<T> Drain<T> {
    /// `sender` must not have been used, nor be cloned.
    pub(crate) fn new(sender: Sender<T>) -> Self {
        Self { sender, room: 0, sent: 0 }
    }

    /// Blocks until there is room for an item. Returns whether it may be made: not when the channel
    /// is closed.
    pub(crate) fn ready(&mut self) -> bool {
        let shared = &*self.sender.shared;
        if shared.is_closed() {
            return false;
        }
        while self.room == 0 {
            self.room = shared.room_now(self.sent);
            if self.room == 0 && matches!(shared.wait_room(None), Err(NoRoom::Closed)) {
                return false;
            }
        }
        true
    }

    /// Sends an item, after it was `ready`. Gives it back when the channel is closed.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        self.room -= 1;
        self.sent = self.sent.wrapping_add(Shared::<T>::ONE);
        self.sender.shared.push(item)
    }
}
