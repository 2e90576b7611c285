//! What becomes of a command.

use super::{Event, Phase, Server, Violation};
use crate::amf::Value;
use crate::rtmp::command::{Call, Command};
use crate::rtmp::message::Message;
use crate::rtmp::status::{self, Outgoing, Status};
use crate::units::Millis;

impl Server {
    pub(super) fn call(&mut self, call: Call, message: &Message) -> Result<(), Violation> {
        let Call {
            transaction,
            command,
        } = call;
        let at = message.at;
        match (&self.phase, command) {
            (Phase::Greeted, Command::Connect(connect)) => {
                self.events.push_back(Event::Connect(connect.clone()));
                self.phase = Phase::Asked {
                    transaction,
                    connect,
                };
            }
            (_, Command::Connect(_)) => return Err(Violation::ConnectTwice { at }),
            (Phase::Connected, Command::CreateStream) => self.create_stream(transaction, at)?,
            (Phase::Connected, command) => {
                self.connection_call(transaction, command, message.stream);
            }
            _ => return Err(Violation::BeforeConnect { at }),
        }
        Ok(())
    }

    /// A command of the connection; every other is one of a message stream.
    fn connection_call(&mut self, transaction: f64, command: Command, stream: u32) {
        match command {
            Command::DeleteStream(stream) => {
                if self.streams.delete(stream) {
                    self.events.push_back(Event::DeleteStream { stream });
                }
            }
            Command::GetStreamLength(name) => {
                if transaction != 0.0 {
                    self.events
                        .push_back(Event::StreamLength { transaction, name });
                }
            }
            Command::FcSubscribe(name) => self.send(&status::on_fc_subscribe(&name)),
            Command::CheckBandwidth => {
                self.answer(transaction, &status::result(transaction, Value::Null));
                self.send(&status::on_bw_done());
            }
            Command::ReleaseStream
            | Command::FcPublish
            | Command::FcUnpublish
            | Command::FcUnsubscribe(_)
            | Command::CheckBw => {
                self.answer(transaction, &status::result(transaction, Value::Null));
            }
            Command::Unknown(name) => {
                self.answer(transaction, &status::call_failed(transaction, &name));
            }
            command if self.streams.contains(stream) => {
                self.stream_call(transaction, command, stream);
            }
            _ => {
                let description = format!("There is no stream {stream}.");
                self.answer(transaction, &status::error(transaction, &description));
            }
        }
    }

    /// A command of a message stream that exists.
    fn stream_call(&mut self, transaction: f64, command: Command, stream: u32) {
        let event = match command {
            Command::Play(play) => {
                self.streams.set_name(stream, &play.name);
                Event::Play {
                    stream,
                    transaction,
                    play,
                }
            }
            Command::Play2(play) => {
                self.streams.set_name(stream, &play.stream_name);
                Event::Play2 {
                    stream,
                    transaction,
                    play,
                }
            }
            Command::Pause { pause, time, raw } => Event::Pause {
                stream,
                pause,
                time,
                raw,
            },
            Command::Seek(Some(time)) => Event::Seek { stream, time },
            Command::Seek(None) => {
                let name = self.streams.name(stream).to_owned();
                let status = Status::SeekInvalidTime { name: &name };
                self.status(stream, Millis(0), &status);
                return;
            }
            Command::ReceiveAudio(on) => Event::ReceiveAudio { stream, on },
            Command::ReceiveVideo(on) => Event::ReceiveVideo { stream, on },
            Command::CloseStream => Event::CloseStream { stream },
            Command::Publish(name) => {
                self.status(stream, Millis(0), &Status::PublishDenied { name: &name });
                Event::Publish { stream, name }
            }
            // The others are commands of the connection, and were answered there.
            _ => return,
        };
        self.events.push_back(event);
    }

    fn create_stream(&mut self, transaction: f64, at: u64) -> Result<(), Violation> {
        let limit = self.limits.streams;
        let created = self.streams.create();
        let stream = created.ok_or(Violation::TooManyStreams { limit, at })?;
        self.send(&status::result(transaction, f64::from(stream).into()));
        Ok(())
    }

    /// Sends an answer where one is awaited.
    fn answer(&mut self, transaction: f64, reply: &Outgoing) {
        if transaction != 0.0 {
            self.send(reply);
        }
    }

    /// Sends a message of the connection.
    pub(super) fn send(&mut self, outgoing: &Outgoing) {
        outgoing.write(&mut self.output, self.chunk_size, Millis(0), 0);
    }
}
