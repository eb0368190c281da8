//! The calls of the client that read.

use napi::{
    Env,
    bindgen_prelude::{External, Unknown},
};
use napi_derive::napi;

use super::{
    arguments,
    cancellation::Cancellation,
    client::Client,
    conversations::{self, ConversationObject, ConversationPageObject, LinkedRecordObject, Rest},
    options,
    verification::{self, VerificationObject},
};

#[napi]
impl Client {
    /// `getConversation`, and `getLinkedRecords`, which may mean the focused one.
    #[napi]
    pub fn read_conversation<'env>(
        &self,
        env: &'env Env,
        conversation_id: Unknown<'env>,
        may_be_focused: bool,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let conversation = if may_be_focused {
            self.conversation(*env, &conversation_id)
        } else {
            arguments::conversation(*env, &conversation_id).map(Some)
        };
        let call = conversation.and_then(|conversation| {
            let options = options::read(&options)?;
            self.service.ensure_possible(&options)?;
            Ok((conversation, options))
        });
        self.begin(env, call, cancellation, |service, (conversation, options)| {
            let read = service.read(conversation, options);
            async move { read.await.map(ConversationObject::from) }
        })
    }

    /// Some conversations of `getConversations`: the first ones of a query, or what is left of it.
    #[napi]
    pub fn list_conversations<'env>(
        &self,
        env: &'env Env,
        query: Unknown<'env>,
        rest: Option<&External<Rest>>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let call = match rest {
            Some(rest) => Ok(Rest::clone(rest)),
            None => conversations::query(None, &query, self.service.wall()),
        };
        let call = call.and_then(|Rest { listing, options }| {
            self.service.ensure_possible(&options)?;
            Ok((listing, options))
        });
        self.begin(env, call, cancellation, |service, (listing, options)| {
            let listed = service.list(listing, options.clone());
            async move {
                let (conversations, rest) = listed.await?;
                let rest = rest.map(|listing| Rest { listing, options });
                Ok(ConversationPageObject::new(conversations, rest))
            }
        })
    }

    /// `findConversations`
    #[napi]
    pub fn find_conversations<'env>(
        &self,
        env: &'env Env,
        record: Unknown<'env>,
        query: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let call = conversations::query(Some(&record), &query, self.service.wall());
        let call = call.and_then(|Rest { listing, options }| {
            self.service.ensure_possible(&options)?;
            Ok((listing, options))
        });
        self.begin(env, call, cancellation, |service, (listing, options)| {
            let listed = service.list_all(listing, options);
            async move { Ok(listed.await?.into_iter().map(ConversationObject::from).collect::<Vec<_>>()) }
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
        let call = arguments::entity(*env, &entity_logical_name).and_then(|entity| {
            let (key, options) = (conversations::key(entity, &key)?, options::read(&options)?);
            self.service.ensure_possible(&options)?;
            Ok((key, options))
        });
        self.begin(env, call, cancellation, |service, (key, options)| {
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
        let call = verification::claim(&outcome, store).and_then(|claim| {
            let options = options::read(&options)?;
            self.service.ensure_possible(&options)?;
            Ok((claim, options))
        });
        self.begin(env, call, cancellation, move |service, (claim, options)| {
            let read = service.read(Some(claim.conversation_id), options);
            async move { Ok(VerificationObject::new(&claim, read.await?, store)) }
        })
    }
}
