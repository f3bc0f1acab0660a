use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use thrasks_bridge::{stream, stream_from_callback};
use thrasks_loop::models::Bell;

use super::{model, own};

/// Numbers without end, which say when they are dropped.
struct Endless(Arc<AtomicUsize>);

impl Iterator for Endless {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        Some(1)
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_closed_stream_stops_its_iterator_and_who_waits_for_that_sees_it_dropped() {
    model(3, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let endless = Endless(drops.clone());
        let mut stream = stream(&own(), 1, move || endless);
        stream.close();
        Bell::block_on(stream.closed()).unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        assert!(Bell::block_on(stream.next()).is_none());
    });
}

#[test]
fn a_stream_that_is_closed_on_the_way_stops_its_iterator() {
    model(2, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let endless = Endless(drops.clone());
        let mut stream = stream(&own(), 1, move || endless);
        assert_eq!(Bell::block_on(stream.next()).unwrap().unwrap(), 1);
        stream.close();
        Bell::block_on(stream.closed()).unwrap();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn a_stream_ends_after_its_iterator_with_the_error_there_is() {
    model(3, || {
        let mut stream = stream_from_callback(&own(), 1, |sender| {
            sender.send(1).unwrap();
            drop(sender);
            std::panic::resume_unwind(Box::new(7));
        });
        assert_eq!(Bell::block_on(stream.next()).unwrap().unwrap(), 1);
        let error = Bell::block_on(stream.next()).unwrap().unwrap_err();
        assert_eq!(error.try_into_panic().unwrap().downcast_ref(), Some(&7));
        assert!(stream.is_closed());
        assert!(Bell::block_on(stream.next()).is_none());
    });
}
