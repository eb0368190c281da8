//! The calls of a list, which lib/bulk.js reads. They cross in chunks: the targets of many calls in one string, and the ends of many
//! calls in another one.

use std::{
    iter,
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt, TryFutureExt, future::Either};
use napi::{
    Env, JsValue,
    bindgen_prelude::{PromiseRaw, Unknown},
};
use napi_derive::napi;

use super::{
    client::{Client, made_for},
    error::{self, Failure},
    options::call,
    outcome::{self, Outcome},
    panics::defect,
    promise::{Cancellation, Cancelled, Promises, guarded},
    runtime::{self, Place},
    settling::{Deferred, MAX_GATHERED, Settled, Settling},
};
use crate::{
    domain::{CallOptions, ConversationId, EntityLogicalName, LinkPolicy, LinkService, RecordId, RecordReference},
    error::LinkError,
    sync::lock,
};

const ID: usize = 36;

/// First letter of the record's table, record id, conversation id.
const TARGET: usize = 1 + 2 * ID;

/// Place of the call, then its compact outcome and zeros up to this length, or `!` if it failed.
const END: usize = 1 + outcome::LONGEST;

/// One list.
#[napi]
pub struct Bulk {
    work: Work,
    place: Place,
    cancelled: Cancelled,
    ends: Arc<Ends>,
}

/// The same for all calls of the list.
#[derive(Clone)]
struct Work {
    service: LinkService,
    /// `None` for unlinks.
    policy: Option<LinkPolicy>,
    options: CallOptions,
}

/// The ends of calls that JavaScript has not taken yet.
struct Ends {
    settling: Arc<Settling>,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    /// Pieces of [`END`] bytes.
    text: Vec<u8>,
    /// Those of the failed calls, in the order of their pieces.
    failures: Vec<Failure>,
    /// The promise for the next ends, while there are none.
    waiting: Option<Deferred>,
}

#[napi]
impl Client {
    /// `linkMany` or `unlinkMany`. Throws if the options are invalid.
    #[napi]
    pub fn bulk(
        &self,
        env: Env,
        is_link: bool,
        options: Unknown<'_>,
        cancellation: &Cancellation,
    ) -> napi::Result<Bulk> {
        let read = || {
            let (policy, options) = if is_link {
                call::link(&options).map(|(policy, options)| (Some(policy), options))
            } else {
                call::unlink(&options).map(|options| (None, options))
            }?;
            self.service.ensure_possible(&options)?;
            Ok(Work { service: self.service.clone(), policy, options })
        };
        let work = read().map_err(|error| error::thrown(env, &self.service.describe(error)))?;
        let ends = Arc::new(Ends { settling: Promises::of(env)?.0, ready: Mutex::default() });
        Ok(Bulk { work, place: self.place(), cancelled: Some(cancellation).into(), ends })
    }
}

#[napi]
impl Bulk {
    /// Starts one call for each target, in their order. Their places are `first` and those after it, modulo 256.
    ///
    /// Returns false and starts none if one of them cannot be started. Each of them is then a call of its own, which fails with its own error.
    #[napi]
    pub fn add(&self, first: u8, targets: String) -> bool {
        let targets = targets.into_bytes();
        let (targets, rest) = targets.as_chunks::<TARGET>();
        let targets: Option<Vec<_>> = targets.iter().map(parse).collect();
        let (Some(targets), true, Ok(jobs)) = (targets, rest.is_empty(), runtime::jobs()) else { return false };
        let places = iter::successors(Some(first), |place| Some(place.wrapping_add(1)));
        // Made here, so that a job that is lost reports the end of each call.
        let completion = |place| Completion { ends: Arc::clone(&self.ends), place: Some(place) };
        let calls: Vec<_> = iter::zip(targets, places.map(completion)).collect();
        let (work, place, cancelled) = (self.work.clone(), self.place, self.cancelled.clone());
        jobs.run(place, move || {
            for (target, completion) in calls {
                let (work, cancelled) = (work.clone(), cancelled.clone());
                if cancelled.is_requested() {
                    completion.complete(Err(Failure::Aborted));
                    continue;
                }
                let ended = guarded(move || cancelled.run(work.start(target)));
                runtime::spawn(place, ended.map(|end| completion.complete(end)));
            }
        });
        true
    }

    /// A promise for the ends since the last one, at least one. JavaScript asks for the next one when it has them.
    ///
    /// It resolves with a string, or with an array of it and the errors of the failed calls.
    #[napi]
    pub fn ends<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let mut ready = lock(&self.ends.ready);
        if ready.text.is_empty() {
            let (deferred, promise) = self.ends.settling.promise(env)?;
            ready.waiting = Some(deferred);
            return Ok(promise);
        }
        drop(ready);
        let promise = PromiseRaw::<Unknown<'_>>::resolve(env, self.ends.take(env)?)?;
        // SAFETY: the value is the promise just made.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), promise.raw()) })
    }
}

type Target = (RecordReference, ConversationId);

fn parse(target: &[u8; TARGET]) -> Option<Target> {
    let (table, ids) = std::str::from_utf8(target).ok()?.split_at_checked(1)?;
    let (record, conversation) = ids.split_at_checked(ID)?;
    let entity = EntityLogicalName::ALL.into_iter().find(|entity| entity.as_str().starts_with(table))?;
    let record = RecordReference { entity, id: record.parse::<RecordId>().ok()? };
    Some((record, conversation.parse().ok()?))
}

impl Work {
    fn start(self, (record, conversation): Target) -> impl Future<Output = Result<Outcome, LinkError>> + Send + use<> {
        let Self { service, policy, options } = self;
        let outcome = if let Some(policy) = policy {
            let linked = service.link(record, Some(conversation), policy, options);
            Either::Left(linked.map_ok(Outcome::from))
        } else {
            let unlinked = service.unlink(record, Some(conversation), options);
            Either::Right(unlinked.map_ok(Outcome::from))
        };
        outcome.map_err(made_for(Some(conversation)))
    }
}

/// Reports the end of one call. If its task is lost, dropping it reports that.
struct Completion {
    ends: Arc<Ends>,
    place: Option<u8>,
}

impl Completion {
    fn complete(mut self, end: Result<Outcome, Failure>) {
        if let Some(place) = self.place.take() {
            self.ends.push(place, end);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.ends.push(place, Err(defect().into()));
        }
    }
}

impl Ends {
    fn push(self: &Arc<Self>, place: u8, end: Result<Outcome, Failure>) {
        let mut ready = lock(&self.ready);
        let start = ready.text.len();
        ready.text.push(place);
        match end {
            Ok(outcome) => ready.text.extend_from_slice(&outcome::compact(&outcome).0),
            Err(failure) => {
                ready.text.push(b'!');
                ready.failures.push(failure);
            }
        }
        ready.text.resize(start + END, 0);
        let are_many = ready.text.len() >= MAX_GATHERED * END;
        if let Some(deferred) = ready.waiting.take() {
            drop(ready);
            let ends = Arc::clone(self);
            // It takes all ends that there are by the time it is called.
            let take = move |env| Ok(ends.take(&Env::from_raw(env))?.raw());
            self.settling.push(Settled { deferred, outcome: Ok(Box::new(take)) });
        } else if are_many {
            drop(ready);
            self.settling.wake_now();
        }
    }

    fn take<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let Ready { text, failures, .. } = std::mem::take(&mut *lock(&self.ready));
        // SAFETY: made in this environment.
        let text = unsafe { Unknown::from_raw_unchecked(env.raw(), outcome::latin1(env.raw(), &text)?) };
        if failures.is_empty() {
            return Ok(text);
        }
        let mut ends = env.create_array(0)?;
        ends.insert(text)?;
        for failure in &failures {
            ends.insert(error::rejection(env, failure)?)?;
        }
        Ok(ends.to_unknown())
    }
}
