//! What corosensei, a library of coroutines without WebAssembly, needs for the same.

use super::switching::timed;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, ScopedCoroutine};
use std::hint::black_box;
use switchback_bench::Contestant;

/// `resume` and `suspend` of one coroutine.
pub fn round_trip() -> Contestant<'static> {
    let mut coroutine = Coroutine::new(|yielder, ()| -> () {
        loop {
            yielder.suspend(());
        }
    });
    Contestant::new("corosensei", move |count| {
        timed(|| {
            for _ in 0..count {
                match coroutine.resume(()) {
                    CoroutineResult::Yield(()) => {}
                    CoroutineResult::Return(()) => unreachable!("it never returns"),
                }
            }
        })
    })
}

/// Making a coroutine on a stack that is there already, and running it to its end.
pub fn new_and_run() -> Contestant<'static> {
    let mut stack = DefaultStack::default();
    Contestant::new("corosensei", move |count| {
        timed(|| {
            for index in 0..count {
                let coroutine =
                    ScopedCoroutine::<(), (), u64, _>::with_stack(&mut stack, move |_, ()| {
                        black_box(index)
                    });
                let returned = coroutine.scope(|mut coroutine| coroutine.as_mut().resume(()));
                black_box(returned.as_return());
            }
        })
    })
}
