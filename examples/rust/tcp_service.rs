//! A TCP service over several loops, with an orderly end: async-io in the loops of a `LoopPool`.
//!
//! `cargo run --release --example tcp_service [--port N] [--loops N] [--grace SECONDS]`
//!
//! Each connection is a task of one loop, the one that is free when it comes, and stays there: its
//! future need not be `Send`. Each line is answered with its SHA-256 digest and the loop's name; try
//! `nc 127.0.0.1 8889`. Ctrl-C takes no more connections; those that wait for their client end at
//! once, those at work answer first, and what is left after the grace is cut off.

use std::{
    convert::Infallible,
    error::Error,
    ffi::OsStr,
    io,
    net::{TcpListener, TcpStream},
    num::NonZero,
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use async_channel::Receiver;
use async_io::{Async, Timer};
use async_signal::{Signal, Signals};
use futures_lite::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, future, io::BufReader,
};
use sha2::{Digest, Sha256};
use thrasks_loop::LoopPool;

const USAGE: &str = "usage: tcp_service [--port N] [--loops N] [--grace SECONDS]

Answers lines on port N (default: 8889; 0 for any), on N loops (default: as many as the machine
runs in parallel); at the end, clients have SECONDS (default: 5) to read what they asked for.";

const LONGEST_LINE: u64 = 64 * 1024;

struct Options {
    port: u16,
    loops: usize,
    grace: Duration,
}

impl Options {
    /// The options on the command line, or `None` to show the usage.
    fn parse() -> Result<Option<Self>, Box<dyn Error>> {
        use lexopt::prelude::*;

        fn number<T: FromStr>(what: &str, value: &OsStr) -> Result<T, String> {
            let number = value.to_str().and_then(|text| text.parse().ok());
            number.ok_or_else(|| format!("{what}, got {value:?}"))
        }

        let loops = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Self { port: 8889, loops, grace: Duration::from_secs(5) };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                Long("port") => {
                    options.port = number("--port is from 0 to 65535", &arguments.value()?)?;
                }
                Long("loops") => {
                    let loops: NonZero<_> = number("--loops is at least 1", &arguments.value()?)?;
                    options.loops = loops.get();
                }
                Long("grace") => {
                    let seconds = number("--grace is in seconds", &arguments.value()?)?;
                    options.grace = Duration::try_from_secs_f64(seconds)
                        .map_err(|error| format!("--grace: {error}"))?;
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(options))
    }
}

/// Answers the lines of one client, until it has no more or the service ends.
async fn talk(stream: Async<TcpStream>, end: Receiver<Infallible>) -> io::Result<()> {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut line);
        // Nobody ever sends on this channel: that it is closed is the message, to all at once.
        let closed = async {
            let _ = end.recv().await;
            Ok(0)
        };
        if future::or(read, closed).await? == 0 {
            return Ok(());
        }
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            return writer.write_all(b"error: the line is too long\n").await;
        }
        let digest = Sha256::digest(line.trim_ascii_end());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        writer.write_all(format!("{digest} {name}\n").as_bytes()).await?;
    }
}

/// Accepts connections for ever, and gives each to a loop of the pool.
async fn accept(listener: &Async<TcpListener>, pool: &LoopPool, end: &Receiver<Infallible>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let end = end.clone();
                let serve = move || async move {
                    if let Err(error) = talk(stream, end).await {
                        eprintln!("{address}: {error}");
                    }
                };
                let task = pool.try_spawn(serve).expect("the pool is open, and has no bound");
                task.detach();
            }
            Err(error) => {
                // Too many open files, for one. The connections that there are go on.
                eprintln!("cannot accept: {error}");
                Timer::after(Duration::from_secs(1)).await;
            }
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], options.port))
        .map_err(|error| format!("cannot listen on port {}: {error}", options.port))?;
    let pool = LoopPool::builder().threads(options.loops).name("loop").build()?;
    // Windows has the first of them.
    let mut signals = Signals::new(&[Signal::Int, Signal::Term][..if cfg!(unix) { 2 } else { 1 }])?;
    println!("{} loops listen on {}", options.loops, listener.get_ref().local_addr()?);

    let (open, end) = async_channel::bounded(1);
    let interrupted = async {
        signals.next().await;
    };
    async_io::block_on(future::or(accept(&listener, &pool, &end), interrupted));

    println!("no more connections; {} are open", pool.stats().running);
    drop((listener, open));
    let report = pool.shutdown(options.grace);
    println!("{} connections served, {} cut off", report.completed, report.cancelled);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn main() -> ExitCode {
    let outcome = match Options::parse() {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
