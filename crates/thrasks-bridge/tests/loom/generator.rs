use thrasks_bridge::{Interrupt, Step, Yielder, generator};
use thrasks_loop::models::Bell;

use super::{model, own};

#[test]
fn each_step_meets_its_answer() {
    model(3, || {
        let mut echo = generator(own(), |yielder: &mut Yielder<u8, (), u8>| {
            let mut sent = yielder.first();
            while let Ok(value) = sent {
                sent = yielder.put(value);
            }
            sent
        });
        Bell::block_on(async {
            assert_eq!(echo.send(1).await.unwrap(), Step::Yielded(1));
            assert_eq!(echo.send(2).await.unwrap(), Step::Yielded(2));
            let last = echo.throw(()).await.unwrap();
            assert_eq!(last, Step::Returned(Err(Interrupt::Thrown(()))));
            echo.closed().await.unwrap();
        });
    });
}

#[test]
fn a_close_is_heard_wherever_the_code_is() {
    model(3, || {
        let mut endless =
            generator(own(), |yielder: &mut Yielder<(), (), u8>| while yielder.put(1).is_ok() {});
        endless.start_send(()).unwrap();
        endless.close();
        Bell::block_on(endless.closed()).unwrap();
        assert!(endless.is_closed());
    });
}
