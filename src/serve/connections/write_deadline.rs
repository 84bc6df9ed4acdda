//! A stream with a write timeout, so that a peer that never reads cannot keep its connection.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The number of bytes that a peer must accept within the timeout. Slow networks do; a peer that does not read does
/// not.
const LEAST: usize = 16 * 1024;

/// A stream that fails when its peer accepts less than [`LEAST`] bytes of pending data within the timeout.
#[derive(Debug)]
pub(super) struct WriteDeadline<S> {
    stream: S,
    within: Duration,
    /// Set while the peer accepts no data.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The number of bytes accepted since the deadline was set.
    accepted: usize,
}

impl<S> WriteDeadline<S> {
    /// Wraps `stream` with a write timeout of `within`.
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, deadline: None, accepted: 0 }
    }

    /// Applies the deadline to the result of a write.
    fn judge(&mut self, context: &mut Context<'_>, tried: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(tried) = tried {
            self.accepted += *tried.as_ref().unwrap_or(&0);
            return Poll::Ready(tried);
        }
        loop {
            let (within, accepted) = (self.within, &mut self.accepted);
            let deadline = self.deadline.get_or_insert_with(|| {
                *accepted = 0;
                Box::pin(sleep(within))
            });
            if deadline.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.deadline = None;
            if self.accepted < LEAST {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            // Everything is written: the next response has its own deadline.
            self.deadline = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;

    const WITHIN: Duration = Duration::from_millis(400);

    #[tokio::test]
    async fn a_peer_that_never_reads_is_disconnected_after_the_deadline() {
        let (near, _far) = duplex(64 * 1024);
        let begun = Instant::now();
        let error = WriteDeadline::new(near, WITHIN).write_all(&vec![0; 1024 * 1024]).await.expect_err("not read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= WITHIN);
    }

    #[tokio::test]
    async fn a_trickling_peer_is_disconnected_and_a_slow_one_is_served() {
        for (bytes, is_served) in [(100, false), (4 * LEAST, true)] {
            let (near, mut far) = duplex(1024);
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; bytes];
                while far.read_exact(&mut buffer).await.is_ok() {
                    tokio::time::sleep(WITHIN / 4).await;
                }
            });
            let written = WriteDeadline::new(near, WITHIN).write_all(&vec![0; 32 * LEAST]).await;
            assert_eq!(written.is_ok(), is_served, "{bytes}");
            reading.abort();
        }
    }

    #[tokio::test]
    async fn every_response_has_its_own_deadline() {
        let (near, mut far) = duplex(1024);
        let mut stream = WriteDeadline::new(near, WITHIN);
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 2048];
            for _ in 0..5 {
                tokio::time::sleep(WITHIN / 2).await;
                far.read_exact(&mut buffer).await.expect("sent");
            }
        });
        for _ in 0..5 {
            stream.write_all(&[0; 2048]).await.expect("accepted in time");
            stream.flush().await.expect("accepted in time");
        }
        reading.await.expect("read");
    }
}
