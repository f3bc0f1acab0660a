use std::{error::Error, fmt, sync::Arc};

use crate::Loads;

/// Chooses a worker for each job when it is pushed.
///
/// The small trait to write when all you want is to say where a job goes; [`PerWorker`] makes a
/// [`Scheduler`] of it. [`place_fn`] makes a placement of a closure.
///
/// [`PerWorker`]: crate::PerWorker
/// [`Scheduler`]: crate::Scheduler
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use thrasks_sched::{Loads, PerWorker, Placement, Scheduler, Wake};
///
/// /// Jobs of one customer never run at the same time: they share a worker.
/// struct ByCustomer;
///
/// impl Placement<(u64, &'static str)> for ByCustomer {
///     fn place(
///         &self,
///         job: &(u64, &'static str),
///         loads: &Loads<'_>,
///     ) -> Result<usize, Box<dyn Error + Send + Sync>> {
///         Ok((job.0 % loads.len() as u64) as usize)
///     }
/// }
///
/// let scheduler = PerWorker::new(4, ByCustomer);
/// assert_eq!(scheduler.push((7, "bill")).unwrap(), Wake::One(3));
/// assert_eq!(scheduler.push((7, "remind")).unwrap(), Wake::One(3));
/// ```
pub trait Placement<J>: Send + Sync {
    /// The number of the worker that `job` is to run on, below `loads.len()`.
    ///
    /// It may be called by several threads at once.
    ///
    /// # Errors
    ///
    /// An error refuses the job: the push gives it back with [`Reason::Policy`].
    ///
    /// [`Reason::Policy`]: crate::Reason::Policy
    ///
    /// # Examples
    ///
    /// ```
    /// use thrasks_sched::{Loads, Placement, place_fn};
    ///
    /// let last = place_fn(|_: &u8, loads| Ok(loads.len() - 1));
    /// assert_eq!(last.place(&1, &Loads::from(&[0, 0, 0][..])).unwrap(), 2);
    /// ```
    fn place(&self, job: &J, loads: &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>>;
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<J, P: Placement<J> + ?Sized> Placement<J> for $pointer {
            fn place(
                &self,
                job: &J,
                loads: &Loads<'_>,
            ) -> Result<usize, Box<dyn Error + Send + Sync>> {
                (**self).place(job, loads)
            }
        }
    )+};
}

forward!(&P, Arc<P>, Box<P>);

/// Makes a [`Placement`] of a closure.
///
/// A function and not an impl for closures, because that would collide with the impls for
/// references and boxes, which can be closures too.
///
/// # Examples
///
/// ```
/// use thrasks_sched::{PerWorker, Scheduler, Wake, place_fn};
///
/// let by_size = place_fn(|job: &Vec<u8>, loads| {
///     if job.is_empty() {
///         return Err("an empty job".into());
///     }
///     Ok(if job.len() > 1_000 { 0 } else { loads.len() - 1 })
/// });
/// let scheduler = PerWorker::new(2, by_size);
/// assert_eq!(scheduler.push(vec![0; 2_000]).unwrap(), Wake::One(0));
/// assert_eq!(scheduler.push(vec![0; 10]).unwrap(), Wake::One(1));
/// assert!(scheduler.push(vec![]).is_err());
/// ```
#[must_use = "a placement does nothing until a scheduler asks it"]
pub fn place_fn<J, F>(place: F) -> PlaceFn<F>
where
    F: Fn(&J, &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> + Send + Sync,
{
    PlaceFn(place)
}

/// A closure as a [`Placement`]: see [`place_fn`].
///
/// # Examples
///
/// ```
/// use thrasks_sched::{Loads, PerWorker, PlaceFn, Scheduler, Wake, place_fn};
///
/// type Chosen = Result<usize, Box<dyn std::error::Error + Send + Sync>>;
/// type Last = fn(&u32, &Loads<'_>) -> Chosen;
///
/// /// A name for what `place_fn` makes, here with a function.
/// struct LastWorker(PerWorker<u32, PlaceFn<Last>>);
///
/// let last = LastWorker(PerWorker::new(2, place_fn(|_, loads| Ok(loads.len() - 1))));
/// assert_eq!(last.0.push(7).unwrap(), Wake::One(1));
/// ```
#[derive(Clone, Copy)]
pub struct PlaceFn<F>(F);

impl<J, F> Placement<J> for PlaceFn<F>
where
    F: Fn(&J, &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> + Send + Sync,
{
    fn place(&self, job: &J, loads: &Loads<'_>) -> Result<usize, Box<dyn Error + Send + Sync>> {
        (self.0)(job, loads)
    }
}

impl<F> fmt::Debug for PlaceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlaceFn").field(&std::any::type_name::<F>()).finish()
    }
}
