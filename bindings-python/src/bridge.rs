//! Blocking code and async code: calls, iterators, generators and callbacks on threads, as awaitables
//! of asyncio.

mod bell;
mod call;
mod callback;
mod channel;
mod context;
mod errors;
mod generator;
mod once;
mod place;
mod producer;
mod report;
mod stream;
mod threads;
mod waiting;

pub(crate) use self::{
    call::{CallRef, start_call},
    channel::ChannelBase,
    context::call_in,
    generator::GeneratorBase,
    once::start_once,
    place::Separate,
    stream::StreamBase,
    threads::{Blocking, blocking_counts, stop_blocking},
    waiting::wait_on_loop,
};
