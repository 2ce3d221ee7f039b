//! A chat's database with a writer and a reader, for one test.

use crate::scratch::Scratch;
use perennial::chat::store::{
    CreateRoom, CreateUser, History, Message, Page, Post, Posted, RoomId, SCHEMA, UserId,
};
use perennial::store::{
    Config, Database, Item, Operation, Query, ReaderCore, WriteError, WriterCore,
};
use std::fmt::Debug;
use std::sync::mpsc::channel;

pub(crate) struct Desk {
    pub(crate) writer: WriterCore,
    pub(crate) reader: ReaderCore,
    pub(crate) scratch: Scratch,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let database = Database::open(Config::new(scratch.data()), &SCHEMA).unwrap();
        let writer = WriterCore::open(&database).unwrap();
        let reader = ReaderCore::open(&database).unwrap();
        Desk {
            writer,
            reader,
            scratch,
        }
    }

    pub(crate) fn write<O: Operation>(
        &mut self,
        operation: O,
    ) -> Result<O::Output, WriteError<O::Refused>> {
        self.write_all([operation]).remove(0)
    }

    /// Writes all in one batch.
    pub(crate) fn write_all<O: Operation>(
        &mut self,
        operations: impl IntoIterator<Item = O>,
    ) -> Vec<Result<O::Output, WriteError<O::Refused>>> {
        let (tell, answers) = channel();
        let items = operations.into_iter().map(|operation| {
            let tell = tell.clone();
            Item::new(operation, move |answer| drop(tell.send(answer)))
        });
        let items: Vec<Item> = items.collect();
        self.writer.drain_and_commit(items);
        drop(tell);
        answers.iter().collect()
    }

    pub(crate) fn read<Q: Query>(&mut self, query: Q) -> Q::Output {
        self.reader.run(&query).unwrap()
    }

    pub(crate) fn user(&mut self, name: &str) -> UserId {
        let create = CreateUser {
            name: name.into(),
            password_hash: "$hash$".into(),
            at: 1,
        };
        unwrap(self.write(create))
    }

    pub(crate) fn room(&mut self, name: &str) -> RoomId {
        unwrap(self.write(CreateRoom {
            name: name.into(),
            at: 2,
        }))
    }

    pub(crate) fn post(&mut self, room: RoomId, user: UserId, body: &str) -> Posted {
        unwrap(self.write(post(room, user, body)))
    }

    pub(crate) fn history(&mut self, room: RoomId, page: Page, limit: usize) -> Vec<Message> {
        self.read(History { room, page, limit })
    }
}

#[track_caller]
fn unwrap<T, R: Debug>(answer: Result<T, WriteError<R>>) -> T {
    answer.unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn post(room: RoomId, user: UserId, body: &str) -> Post {
    Post {
        room,
        user,
        client_id: None,
        body: body.into(),
        at: 1_000,
    }
}
