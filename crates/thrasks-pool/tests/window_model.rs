//! The window against a model of it: a list of places, each with what has become of it.

use proptest::prelude::*;
use thrasks_pool::{Place, Take, Window};

#[derive(Debug, Clone)]
enum Step {
    Reserve,
    Fill(usize),
    Vacate(usize),
    Take,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Reserve),
        8 => any::<usize>().prop_map(Step::Fill),
        2 => any::<usize>().prop_map(Step::Vacate),
        8 => Just(Step::Take),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Reserved,
    Filled(u32),
    Vacant,
}

/// The places in the order in which they are to be taken; of an unordered window, those that are
/// reserved come last.
struct Model {
    ordered: bool,
    line: Vec<(usize, At)>,
}

impl Model {
    /// What `take` would find.
    fn next(&self) -> Take<u32> {
        let first = self.line.iter().find(|place| match place.1 {
            At::Vacant => false,
            At::Reserved => self.ordered,
            At::Filled(_) => true,
        });
        match first {
            Some(&(index, At::Filled(value))) => Take::Value { index, value },
            Some(_) => Take::Pending,
            None if self.line.iter().all(|place| place.1 == At::Vacant) => Take::Empty,
            None => Take::Pending,
        }
    }

    /// Vacant places before the first other one are free again.
    fn skip(&mut self) {
        while self.line.first().is_some_and(|place| place.1 == At::Vacant) {
            self.line.remove(0);
        }
    }

    fn settle(&mut self, index: usize, at: At) {
        let position = self
            .line
            .iter()
            .position(|place| *place == (index, At::Reserved))
            .expect("it is under way");
        if self.ordered {
            self.line[position].1 = at;
        } else {
            self.line.remove(position);
            if at != At::Vacant {
                let filled = self.line.iter().filter(|place| place.1 != At::Reserved).count();
                self.line.insert(filled, (index, at));
            }
        }
        self.skip();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_window_keeps_its_order_and_its_bound_and_tells_its_taker(
        bound in 1..6usize,
        ordered: bool,
        steps in proptest::collection::vec(step(), 0..200),
        close_at in proptest::option::of(0..200usize),
    ) {
        let window = if ordered { Window::ordered(bound) } else { Window::unordered(bound) };
        let mut model = Model { ordered, line: Vec::new() };
        let mut places: Vec<Place> = Vec::new();
        let mut value = 0;
        let mut closed = false;
        for (at, step) in steps.into_iter().enumerate() {
            let step = if Some(at) == close_at { Step::Close } else { step };
            match step {
                Step::Reserve => match window.reserve() {
                    Some(place) => {
                        prop_assert!(!closed && model.line.len() < bound);
                        prop_assert!(place.index() < bound);
                        prop_assert!(model.line.iter().all(|other| other.0 != place.index()));
                        model.line.push((place.index(), At::Reserved));
                        places.push(place);
                    }
                    None => prop_assert!(closed || model.line.len() == bound),
                },
                Step::Fill(number) | Step::Vacate(number) => {
                    let Some(number) = number.checked_rem(places.len()) else { continue };
                    let place = places.swap_remove(number);
                    let index = place.index();
                    let before = model.next();
                    let fills = matches!(step, Step::Fill(_));
                    if closed {
                        if fills {
                            prop_assert_eq!(window.fill(place, 7), Err(7));
                        } else {
                            prop_assert!(!window.vacate(place));
                        }
                        continue;
                    }
                    let wake = if fills {
                        value += 1;
                        model.settle(index, At::Filled(value));
                        window.fill(place, value).unwrap()
                    } else {
                        model.settle(index, At::Vacant);
                        window.vacate(place)
                    };
                    // A taker that waits has seen that the next one is under way.
                    if before == Take::Pending {
                        prop_assert_eq!(wake, model.next() != Take::Pending);
                    }
                }
                Step::Take if closed => prop_assert_eq!(window.take(), Take::Empty),
                Step::Take => {
                    let next = model.next();
                    if let Take::Value { index, .. } = next {
                        model.line.retain(|place| place.0 != index);
                        model.skip();
                    }
                    prop_assert_eq!(window.take(), next);
                }
                Step::Close => {
                    let mut values = Vec::new();
                    for (_, at) in model.line.drain(..) {
                        if let At::Filled(value) = at {
                            values.push(value);
                        }
                    }
                    prop_assert_eq!(window.close(), values);
                    closed = true;
                }
            }
            prop_assert_eq!(window.len(), model.line.len());
            let filled = model.line.iter().filter(|place| matches!(place.1, At::Filled(_)));
            prop_assert_eq!(window.filled(), filled.count());
        }
    }
}
