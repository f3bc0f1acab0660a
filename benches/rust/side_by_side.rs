//! Contenders side by side: criterion's own report of each, then a table of all.
//!
//! Criterion measures one contender after the other. On a machine that others use as well, that
//! compares what the machine was doing: for the table they take turns, one run each.
//! `TABLE_ONLY=1` leaves criterion's part out.

use std::{
    env,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};

/// For how long the contenders of one table take turns, and how often at least.
const TURNS: (Duration, usize) = (Duration::from_secs(3), 5);

pub(crate) struct Contender<'a> {
    name: &'static str,
    /// One run, and how long it took.
    run: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// Times all of `run`, which has to yield `expected`.
    #[allow(dead_code, reason = "not every bench has contenders of both kinds")]
    pub(crate) fn new(
        name: &'static str,
        expected: u64,
        mut run: impl FnMut() -> u64 + 'a,
    ) -> Self {
        Self::timed(name, move || {
            let start = Instant::now();
            let got = run();
            let took = start.elapsed();
            assert_eq!(got, expected, "{name} lost something");
            took
        })
    }

    /// `run` says itself how long it took.
    pub(crate) fn timed(name: &'static str, run: impl FnMut() -> Duration + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Runs the contenders and prints what an element costs with each. The first one is what the
/// others are compared with.
pub(crate) fn compare(
    criterion: &mut Criterion,
    title: &str,
    elements: u64,
    mut contenders: Vec<Contender<'_>>,
) {
    let table_only = env::var_os("TABLE_ONLY").is_some_and(|value| value != "0");
    if !table_only {
        let mut group = criterion.benchmark_group(title);
        group.sample_size(10).warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_secs(1));
        group.throughput(Throughput::Elements(elements));
        for contender in &mut contenders {
            group.bench_function(contender.name, |b| {
                b.iter_custom(|times| (0..times).map(|_| (contender.run)()).sum());
            });
        }
        group.finish();
    }
    // Without `--bench` this is a test, of whether it runs at all.
    if env::args().any(|argument| argument == "--bench") && is_wanted(title) {
        print_table(title, elements, &mut contenders);
    }
}

/// A filter on the command line holds for criterion and for the table.
fn is_wanted(title: &str) -> bool {
    let mut filters = env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| title.contains(&filter))
}

fn print_table(title: &str, elements: u64, contenders: &mut [Contender<'_>]) {
    let mut samples = vec![Vec::new(); contenders.len()];
    let start = Instant::now();
    // The first round does not count.
    for round in 0.. {
        if round > TURNS.1 && start.elapsed() > TURNS.0 {
            break;
        }
        for at in 0..contenders.len() {
            // Another one begins each time.
            let at = (at + round) % contenders.len();
            let took = (contenders[at].run)();
            if round > 0 {
                samples[at].push(took);
            }
        }
    }
    let width = contenders.iter().map(|contender| contender.name.len()).max().unwrap_or(0);
    println!("\n{title}: ns for each of {elements}, {} runs in turn", samples[0].len());
    println!("{:width$}  {:>9}  {:>9}  ratio of minima", "", "minimum", "median");
    let mut first = None;
    for (contender, samples) in contenders.iter().zip(&mut samples) {
        samples.sort_unstable();
        let each = |took: Duration| took.as_secs_f64() * 1e9 / elements as f64;
        let (minimum, median) = (each(samples[0]), each(samples[samples.len() / 2]));
        let ratio = minimum / *first.get_or_insert(minimum);
        println!("{:width$}  {minimum:9.1}  {median:9.1}  {ratio:.2}", contender.name);
    }
    println!();
}
