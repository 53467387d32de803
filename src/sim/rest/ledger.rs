//! What the simulated department has posted: one line of JSON a posting, on disk before it is answered, so that it
//! outlives the process.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Postings that may wait for the disk at once.
const WAITING_MAX: usize = 4096;

/// One posting, as `billswitch sim` departments write it down. One with the same identity again is the same posting as it
/// stands from then on, a part of it given back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The bill.
    pub consumer: String,
    /// What makes it the same payment: `tran_auth_id`, `tran_date` and `tran_time` with blanks between.
    pub identity: String,
    /// Minor units.
    pub amount: u64,
    /// The receipt given for it.
    pub receipt: String,
    /// When, milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// It is the undoing of the posting with this identity, where a department can undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
}

/// Why a ledger cannot be kept.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file.
    #[error("ledger {}: {source}", path.display())]
    File {
        /// The ledger.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line that is none of ours.
    #[error("ledger {}:{line}: not a posting", path.display())]
    Line {
        /// The ledger.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
}

/// Reads all postings of a ledger. A last line without its end was never answered, and is left out.
///
/// # Errors
///
/// [`LedgerError`].
pub fn read_ledger(path: &Path) -> Result<Vec<Entry>, LedgerError> {
    let fault = |source| LedgerError::File { path: path.to_path_buf(), source };
    let text = std::fs::read_to_string(path).map_err(fault)?;
    entries(path, whole_lines(&text))
}

fn whole_lines(text: &str) -> &str {
    text.rfind('\n').and_then(|end| text.get(..=end)).unwrap_or_default()
}

fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, LedgerError> {
    let read = |(at, line): (usize, &str)| {
        let line_number = at.saturating_add(1);
        serde_json::from_str(line)
            .map_err(|_| LedgerError::Line { path: path.to_path_buf(), line: line_number })
    };
    text.lines().enumerate().map(read).collect()
}

/// Writes postings down. Those that wait together are synced together.
pub(in crate::sim) struct Ledger {
    lines: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
}

impl Ledger {
    /// Opens a ledger, or makes it, and gives what it holds.
    pub(in crate::sim) fn open(path: &Path) -> Result<(Self, Vec<Entry>), LedgerError> {
        let fault = |source| LedgerError::File { path: path.to_path_buf(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fault)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fault)?;
        let whole = whole_lines(&text);
        let held = entries(path, whole)?;
        // The process ended within a line: nobody was told of that posting.
        let end = u64::try_from(whole.len()).unwrap_or(u64::MAX);
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(fault)?;
        let (lines, written) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write(file, written))
            .map_err(fault)?;
        Ok((Self { lines }, held))
    }

    /// Writes a posting down; it is on disk when this returns true.
    pub(in crate::sim) async fn note(&self, entry: &Entry) -> bool {
        let Ok(mut line) = serde_json::to_vec(entry) else { return false };
        line.push(b'\n');
        self.append(line).await
    }

    /// Waits until everything noted before is on disk.
    pub(in crate::sim) async fn flush(&self) -> bool {
        self.append(Vec::new()).await
    }

    async fn append(&self, line: Vec<u8>) -> bool {
        let (done, written) = oneshot::channel();
        self.lines.send((line, done)).await.is_ok() && written.await.is_ok()
    }
}

/// Ends, and so answers nobody any more, when the disk fails.
fn write(mut file: File, mut lines: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>) {
    while let Some((mut batch, done)) = lines.blocking_recv() {
        let mut waiting = vec![done];
        while let Ok((line, done)) = lines.try_recv() {
            batch.extend_from_slice(&line);
            waiting.push(done);
        }
        if let Err(error) = file.write_all(&batch).and_then(|()| file.sync_data()) {
            tracing::error!(%error, "the ledger cannot be written: nothing is answered any more");
            return;
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}
