//! What operators ask of bill books, over the control socket.

use tokio::sync::oneshot;

use super::ask::Input;
use super::control::{GOING_DOWN, Operator};
use crate::control::{BookReply, BookRequest, ImportReply, LIST_MAX};
use crate::desk::{BookDone, BookWork};
use crate::ids::BillerCode;
use crate::settle;

impl Operator {
    pub(super) async fn book(&self, request: BookRequest) -> Result<BookReply, String> {
        match request {
            BookRequest::Import { biller, rows } => {
                self.known(&biller)?;
                // Whoever sends them may not have read them from a file of ours.
                if let Some(fault) = rows.iter().find_map(|row| row.check().err()) {
                    return Err(format!("not imported: {fault}"));
                }
                let done = self.work(BookWork::Import(biller, rows)).await?;
                Ok(BookReply::Imported(imported(done)))
            }
            BookRequest::Withdraw { biller, psids } => {
                self.known(&biller)?;
                let done = self.work(BookWork::Withdraw(biller, psids)).await?;
                Ok(BookReply::Imported(imported(done)))
            }
            BookRequest::Act { biller, psid, act, why } => {
                self.known(&biller)?;
                let why = crate::control::why(&why)?.into();
                let work = BookWork::Act { biller, psid: psid.clone(), act, why };
                match self.work(work).await? {
                    BookDone::Refused(fault) => Err(fault.to_string()),
                    BookDone::Acted(_) | BookDone::Imported(_) | BookDone::Withdrawn(_) => {
                        self.bill(biller, psid).await
                    }
                }
            }
            BookRequest::Show { biller, psid } => {
                self.known(&biller)?;
                self.bill(biller, psid).await
            }
            BookRequest::Search { biller, query, after, limit } => {
                self.known(&biller)?;
                let (limit, date) = (limit.min(LIST_MAX), self.inspect().await?.date);
                let find =
                    move |store: &_| settle::find_bills(store, biller, &query, after.as_deref(), limit, date);
                let (bills, next) = self.read(find).await?.map_err(|error| error.to_string())?;
                Ok(BookReply::Bills { bills, next })
            }
        }
    }

    async fn work(&self, work: BookWork) -> Result<BookDone, String> {
        let (answer, done) = oneshot::channel();
        self.say(Input::Book(work, answer)).await?;
        done.await.map_err(|_| GOING_DOWN.to_owned())?
    }

    async fn bill(&self, biller: BillerCode, psid: Box<str>) -> Result<BookReply, String> {
        let date = self.inspect().await?.date;
        let find = move |store: &_| settle::bill(store, biller, &psid, date);
        let bill = self.read(find).await?.map_err(|error| error.to_string())?;
        Ok(BookReply::Bill(bill.map(Box::new)))
    }
}

/// What work on a book did, counted.
pub(super) fn imported(done: BookDone) -> ImportReply {
    let mut reply = ImportReply::default();
    match done {
        BookDone::Imported(changes) => changes.into_iter().for_each(|change| reply.count(change)),
        BookDone::Withdrawn(withdrawn) => reply.withdrawn = withdrawn,
        BookDone::Acted(_) | BookDone::Refused(_) => {}
    }
    reply
}
