//! An answer and how it is sent: completely, in a range, slowly, or cut off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use serde_json::{Value, json};
use tokio::time::Sleep;

/// How long a slow body pauses between its pieces, and a cut one before it closes, so that the data sent so far gets out.
const PAUSE: Duration = Duration::from_millis(25);

/// The size of a piece of a body that is not slowed down.
const PIECE: usize = 64 * 1024;

/// A refusal is also an answer: `Err` holds one that refuses.
pub type Answered = Result<Answer, Answer>;

pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Arc<[u8]>,
    /// The part of the body that is sent.
    window: std::ops::Range<usize>,
    head_only: bool,
    cut_after: Option<usize>,
    bytes_per_second: Option<usize>,
}

impl Answer {
    pub fn new(status: u16, body: Arc<[u8]>) -> Answer {
        let window = 0..body.len();
        let headers = vec![("X-Request-Id", "Root=1-loopback".to_owned())];
        Answer { status, headers, body, window, head_only: false, cut_after: None, bytes_per_second: None }
    }

    pub fn json(status: u16, value: &Value) -> Answer {
        Answer::new(status, value.to_string().into_bytes().into())
            .with("Content-Type", "application/json; charset=utf-8")
    }

    /// An error in the hub's form: a code by which clients distinguish cases, and a sentence.
    pub fn error(status: u16, code: Option<&'static str>, message: &str) -> Answer {
        let answer = Answer::json(status, &json!({"error": message})).with("X-Error-Message", message);
        match code {
            Some(code) => answer.with("X-Error-Code", code),
            None => answer,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends the headers alone, as for a HEAD request.
    pub fn head_only(mut self) -> Answer {
        self.head_only = true;
        self
    }

    pub fn cut(mut self, after_bytes: usize) -> Answer {
        self.cut_after = Some(after_bytes);
        self
    }

    pub fn slow(mut self, bytes_per_second: usize) -> Answer {
        self.bytes_per_second = Some(bytes_per_second.max(1));
        self
    }

    /// Changes one byte in the middle.
    pub fn corrupt(mut self) -> Answer {
        let mut bytes = self.body.to_vec();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x10;
        }
        self.body = bytes.into();
        self
    }

    /// Sends the part requested by a Range header: `bytes=a-b`, `bytes=a-` or `bytes=-n`.
    pub fn ranged(mut self, range: Option<&str>) -> Answer {
        let size = self.body.len();
        self = self.with("Accept-Ranges", "bytes");
        let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
            return self;
        };
        let window = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => first..size.min(last.saturating_add(1)),
            (Ok(first), Err(_)) => first..size,
            (Err(_), Ok(last)) => size.saturating_sub(last)..size,
            (Err(_), Err(_)) => return self,
        };
        if window.start >= window.end {
            return Answer::error(416, None, "The range is not within the file.")
                .with("Content-Range", format!("bytes */{size}"));
        }
        self.status = 206;
        self = self.with("Content-Range", format!("bytes {}-{}/{size}", window.start, window.end - 1));
        self.window = window;
        self
    }

    pub fn into_response(self) -> hyper::Response<Sent> {
        let mut response = hyper::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        if self.status != 304 {
            response = response.header("Content-Length", self.window.len());
        }
        let window = if self.head_only { 0..0 } else { self.window };
        let cut_at = self.cut_after.map(|bytes| window.end.min(bytes.max(window.start)));
        let pause = None;
        response.body(Sent { body: self.body, window, cut_at, bytes_per_second: self.bytes_per_second, pause }).unwrap()
    }
}

/// A body being sent.
pub struct Sent {
    body: Arc<[u8]>,
    window: std::ops::Range<usize>,
    /// Where in the body it is cut off.
    cut_at: Option<usize>,
    bytes_per_second: Option<usize>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let rested = match self.pause.as_mut().map(|pause| pause.as_mut().poll(cx)) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(())) => true,
            None => false,
        };
        self.pause = None;
        let end = self.cut_at.unwrap_or(self.window.end);
        let start = self.window.start;
        let cut_now = self.cut_at.is_some() && start >= end;
        if !rested && (cut_now || self.bytes_per_second.is_some()) {
            let mut pause = Box::pin(tokio::time::sleep(PAUSE));
            // Polled once, so that it wakes this task.
            if pause.as_mut().poll(cx).is_pending() {
                self.pause = Some(pause);
                return Poll::Pending;
            }
        }
        if cut_now {
            return Poll::Ready(Some(Err(io::Error::other("cut off, as the test asked"))));
        }
        if start >= end {
            return Poll::Ready(None);
        }
        let piece = self.bytes_per_second.map_or(PIECE, |rate| (rate / 40).max(1));
        let next = end.min(start + piece);
        let data = Bytes::copy_from_slice(&self.body[start..next]);
        self.window.start = next;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.window.is_empty() && self.cut_at.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.window.len() as u64)
    }
}
