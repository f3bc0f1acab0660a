use std::collections::VecDeque;

/// A queue from the middle of which items can be taken, by the number that each was given.
pub(super) struct Line<J> {
    /// In the order of the numbers. The first and the last are there; between them are gaps.
    items: VecDeque<(u64, Option<J>)>,
    next: u64,
    len: usize,
}

impl<J> Line<J> {
    pub(super) fn new() -> Self {
        Self { items: VecDeque::new(), next: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, item: J) -> u64 {
        let number = self.next;
        self.next += 1;
        self.items.push_back((number, Some(item)));
        self.len += 1;
        number
    }

    pub(super) fn pop(&mut self) -> Option<J> {
        let (_, item) = self.items.pop_front()?;
        self.len -= 1;
        self.trim();
        item
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<J> {
        let at = self.items.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let item = self.items[at].1.take()?;
        self.len -= 1;
        self.trim();
        if self.items.len() > 2 * self.len + 32 {
            // Each gap has paid for its own removal.
            self.items.retain(|(_, item)| item.is_some());
        }
        Some(item)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = J> + use<J> {
        self.len = 0;
        std::mem::take(&mut self.items).into_iter().filter_map(|(_, item)| item)
    }

    fn trim(&mut self) {
        while self.items.front().is_some_and(|(_, item)| item.is_none()) {
            self.items.pop_front();
        }
        while self.items.back().is_some_and(|(_, item)| item.is_none()) {
            self.items.pop_back();
        }
    }
}

#[cfg(all(test, not(thrasks_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cancelling_all_but_the_first_keeps_the_line_short() {
        let mut line = Line::new();
        line.push(0);
        for i in 1..10_000 {
            let number = line.push(i);
            line.push(-1);
            assert_eq!(line.remove(number), Some(i));
            assert_eq!(line.remove(number + 1), Some(-1));
            assert!(line.items.len() <= 34, "{}", line.items.len());
        }
        assert_eq!((line.len(), line.pop(), line.pop()), (1, Some(0), None));
    }

    proptest! {
        /// 0 pops, 1 pushes, anything else removes that number.
        #[test]
        fn a_line_is_a_map_in_the_order_of_its_numbers(
            steps in proptest::collection::vec(prop_oneof![Just(0u64), Just(1), 2..80u64], 0..300)
        ) {
            let (mut line, mut model) = (Line::new(), std::collections::BTreeMap::new());
            for step in steps {
                match step {
                    0 => prop_assert_eq!(line.pop(), model.pop_first().map(|(_, item)| item)),
                    1 => {
                        let item = line.next * 10;
                        model.insert(line.push(item), item);
                    }
                    number => prop_assert_eq!(line.remove(number - 2), model.remove(&(number - 2))),
                }
                prop_assert_eq!(line.len(), model.len());
            }
            prop_assert!(line.take_all().eq(model.into_values()));
        }
    }
}
