//! The methods of the client that return promises.

use std::{path::PathBuf, sync::Arc};

use napi::{
    Env, Status,
    bindgen_prelude::{External, Function, Unknown},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;

use super::{
    client::Client,
    error::Failure,
    input,
    options::call,
    output::{
        Continuation, ConversationObject, ConversationPageObject, DiagnosisReportObject, ImportProgressObject,
        ImportSummaryObject, LinkedRecordObject, VerificationObject, count,
    },
    promise::{Cancellation, Promises},
    runtime,
};
use crate::{
    embedded::{EmbeddedStore, ImportProgress, OnProgress, Source},
    error::{Code, LinkError},
};

type ReportProgress = ThreadsafeFunction<ImportProgressObject, (), ImportProgressObject, Status, false, true>;

#[napi]
impl Client {
    /// `getConversation`
    #[napi]
    pub fn read_conversation<'env>(
        &self,
        env: &'env Env,
        conversation_id: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let request = self.conversation(*env, &conversation_id).and_then(|id| Ok((id, call::read(&options)?)));
        self.start(env, request, cancellation, |service, id, options| {
            let read = service.read(id, options);
            async move { read.await.map(ConversationObject::from) }
        })
    }

    /// One page of `getConversations`: the first one, or the next one of a listing.
    #[napi]
    pub fn list_conversations<'env>(
        &self,
        env: &'env Env,
        query: Unknown<'env>,
        continuation: Option<&External<Continuation>>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let request = match continuation {
            Some(continuation) => Ok((continuation.listing.clone(), continuation.options.clone())),
            None => call::query(&query, self.service.wall()),
        };
        self.start(env, request, cancellation, |service, listing, options| {
            let listed = service.list(listing, options.clone());
            async move {
                let (conversations, rest) = listed.await?;
                let continuation = rest.map(|listing| Continuation { listing, options });
                Ok(ConversationPageObject::new(conversations, continuation))
            }
        })
    }

    /// `findRecord`
    #[napi]
    pub fn find_record<'env>(
        &self,
        env: &'env Env,
        entity_logical_name: Unknown<'env>,
        key: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let request = input::entity(*env, &entity_logical_name)
            .and_then(|entity| Ok((call::key(entity, &key)?, call::read(&options)?)));
        self.start(env, request, cancellation, |service, key, options| {
            let found = service.find(key, options);
            async move { found.await.map(LinkedRecordObject::from) }
        })
    }

    /// `verify`
    #[napi]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        outcome: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let store = self.service.store();
        let request = call::outcome(&outcome, store).and_then(|expected| Ok((expected, call::read(&options)?)));
        self.start(env, request, cancellation, move |service, expected, options| {
            let read = service.read(Some(expected.conversation_id), options);
            async move { Ok(VerificationObject::new(&expected, read.await?, store)) }
        })
    }

    /// `importRecords`: from the file at `path`, or of `page`, which is JSON.
    #[napi]
    pub fn import_records<'env>(
        &self,
        env: &'env Env,
        path: Option<String>,
        page: Option<String>,
        options: Unknown<'env>,
        on_progress: Option<Function<'env, ImportProgressObject, ()>>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let on_progress = on_progress.map(|function| progress_reporter(&function)).transpose()?;
        let source = match (path, page) {
            (Some(path), _) => Source::Path(PathBuf::from(path)),
            (None, page) => Source::Text(page.unwrap_or_default()),
        };
        let request = call::local(&options).and_then(|options| Ok((self.embedded()?, options)));
        self.start(env, request, cancellation, |service, store, options| {
            let imported = service.perform(options, move |call| Ok(store.import(source, on_progress, call)));
            async move { imported.await.map(ImportSummaryObject::from) }
        })
    }

    /// `diagnose`
    #[napi]
    pub fn diagnose<'env>(
        &self,
        env: &'env Env,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let request = call::local(&options).map(|options| ((), options));
        self.start(env, request, cancellation, |service, (), options| {
            let diagnosed = service.diagnose(options);
            async move { diagnosed.await.map(DiagnosisReportObject::from) }
        })
    }

    /// `close`
    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        // Queued behind the calls before it, which finish, and before later ones, which are rejected.
        let service = self.service.clone();
        match runtime::jobs() {
            Ok(jobs) => Promises::of(*env)?.promise(env, &jobs, self.place(), move || {
                let closing = service.close();
                async { closing.await.map_err(Failure::Error) }
            }),
            Err(error) => Promises::rejected(env, &service.describe(error).into()),
        }
    }

    fn embedded(&self) -> Result<Arc<EmbeddedStore>, LinkError> {
        let message = "An import needs the embedded store; this client uses Dataverse.";
        self.embedded.clone().ok_or_else(|| LinkError::new(Code::InvalidConfiguration, message))
    }
}

fn progress_reporter(function: &Function<'_, ImportProgressObject, ()>) -> napi::Result<OnProgress> {
    let report: ReportProgress =
        function.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    Ok(Box::new(move |ImportProgress { rows_done, rows_total }| {
        let progress = ImportProgressObject { rows_done: count(rows_done), rows_total: count(rows_total) };
        report.call(progress, ThreadsafeFunctionCallMode::NonBlocking);
    }))
}
