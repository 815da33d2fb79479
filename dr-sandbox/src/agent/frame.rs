//! Pieces of a program's input and output on the wire.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// To the program; an empty one ends it.
    Input,
    /// From its standard output.
    Output,
    /// From its standard error.
    Error,
    /// Its exit code, the last piece.
    Exit,
}

/// The longest piece.
const LONGEST: u32 = 1 << 20;

impl Channel {
    fn byte(self) -> u8 {
        match self {
            Self::Input => 0,
            Self::Output => 1,
            Self::Error => 2,
            Self::Exit => 3,
        }
    }

    fn of(byte: u8) -> io::Result<Self> {
        match byte {
            0 => Ok(Self::Input),
            1 => Ok(Self::Output),
            2 => Ok(Self::Error),
            3 => Ok(Self::Exit),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no such channel")),
        }
    }
}

/// Sends one.
pub(super) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    channel: Channel,
    bytes: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut message = vec![channel.byte()];
    message.extend(length.to_be_bytes());
    message.extend(bytes);
    to.write_all(&message).await
}

/// Receives one. Not to be dropped half-way: the rest of the stream would be misread.
pub(super) async fn receive(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(Channel, Vec<u8>)> {
    let channel = Channel::of(from.read_u8().await?)?;
    let length = from.read_u32().await?;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece that is too long"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes).await?;
    Ok((channel, bytes))
}
