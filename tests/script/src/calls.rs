//! System calls as a host makes them, made from what a script says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::ast::{Call, Expr, Family, Settings, Wanted};
use crate::names;

/// A call with its arguments. Descriptors are the script's.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Socket {
        v6: bool,
        datagram: bool,
        nonblocking: bool,
    },
    Bind {
        fd: i64,
        to: SocketAddr,
    },
    Listen {
        fd: i64,
        backlog: i64,
    },
    Accept {
        fd: i64,
    },
    Connect {
        fd: i64,
        to: SocketAddr,
    },
    Send {
        fd: i64,
        len: usize,
        flags: i64,
        to: Option<SocketAddr>,
    },
    Receive {
        fd: i64,
        len: usize,
        flags: i64,
    },
    SetOption {
        fd: i64,
        level: i64,
        name: i64,
        value: Value,
    },
    ReadOption {
        fd: i64,
        level: i64,
        name: i64,
    },
    Shutdown {
        fd: i64,
        how: i64,
    },
    Close {
        fd: i64,
    },
    SetFlags {
        fd: i64,
        flags: i64,
    },
    ReadFlags {
        fd: i64,
    },
    Poll {
        fds: Vec<(i64, i64)>,
        timeout: i64,
    },
    Ioctl {
        fd: i64,
        request: i64,
    },
}

/// The value of a socket option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Linger {
        on: bool,
        seconds: i64,
    },
    Text(String),
    /// A multicast group.
    Group(IpAddr),
}

/// What a call returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returned {
    /// The result; -1 with an error.
    pub(crate) value: i64,
    /// The error, or 0.
    pub(crate) errno: i32,
    /// What the call wrote into its arguments: an option's value, events.
    pub(crate) out: Vec<i64>,
    /// What is wrong with data that was received.
    pub(crate) wrong_data: Option<String>,
}

impl Returned {
    pub(crate) fn value(value: i64) -> Returned {
        Returned {
            value,
            ..Returned::default()
        }
    }

    pub(crate) fn error(errno: i32) -> Returned {
        Returned {
            value: -1,
            errno,
            ..Returned::default()
        }
    }
}

/// Makes a call from what the script says, and the descriptor that the script gives to what it makes.
///
/// # Errors
///
/// The call or an argument is none that is known.
pub(crate) fn prepare(call: &Call, settings: &Settings) -> Result<(Op, i64), String> {
    let made = match &call.result {
        Wanted::Value(value) => number(value)?,
        _ => -1,
    };
    let op = Args { call, settings }.op()?;
    Ok((op, made))
}

struct Args<'a> {
    call: &'a Call,
    settings: &'a Settings,
}

impl Args<'_> {
    fn op(&self) -> Result<Op, String> {
        let name = self.call.name.as_str();
        let fd = if name == "socket" || name == "poll" {
            0
        } else {
            self.int(0)?
        };
        Ok(match name {
            "socket" => self.socket()?,
            "bind" => Op::Bind {
                fd,
                to: self.address(1, self.settings.local, self.settings.bind_port)?,
            },
            "listen" => Op::Listen {
                fd,
                backlog: self.int(1)?,
            },
            "accept" | "accept4" => Op::Accept { fd },
            "connect" => Op::Connect {
                fd,
                to: self.address(1, self.settings.remote, self.settings.connect_port)?,
            },
            "setsockopt" => Op::SetOption {
                fd,
                level: self.int(1)?,
                name: self.int(2)?,
                value: self.value(3)?,
            },
            "getsockopt" => Op::ReadOption {
                fd,
                level: self.int(1)?,
                name: self.int(2)?,
            },
            "shutdown" => Op::Shutdown {
                fd,
                how: self.int(1)?,
            },
            "close" => Op::Close { fd },
            "fcntl" => match self.int(1)? {
                command if command == i64::from(libc::F_SETFL) => Op::SetFlags {
                    fd,
                    flags: self.int(2)?,
                },
                command if command == i64::from(libc::F_GETFL) => Op::ReadFlags { fd },
                other => {
                    return Err(format!(
                        "fcntl can F_SETFL and F_GETFL here, and not {other}"
                    ));
                }
            },
            "poll" => Op::Poll {
                fds: self.polled()?,
                timeout: self.int(2)?,
            },
            "ioctl" => Op::Ioctl {
                fd,
                request: self.int(1)?,
            },
            _ => return self.transfer(name, fd),
        })
    }

    /// The calls that move data.
    fn transfer(&self, name: &str, fd: i64) -> Result<Op, String> {
        Ok(match name {
            "write" => Op::Send {
                fd,
                len: self.len(2)?,
                flags: 0,
                to: None,
            },
            "send" => Op::Send {
                fd,
                len: self.len(2)?,
                flags: self.int(3)?,
                to: None,
            },
            "sendto" => Op::Send {
                fd,
                len: self.len(2)?,
                flags: self.int(3)?,
                to: match self.call.args.get(4) {
                    None | Some(Expr::Int(0)) => None,
                    Some(Expr::Name(null)) if null == "NULL" => None,
                    Some(_) => {
                        Some(self.address(4, self.settings.remote, self.settings.connect_port)?)
                    }
                },
            },
            "writev" => Op::Send {
                fd,
                len: self.vectors(1)?,
                flags: 0,
                to: None,
            },
            "read" => Op::Receive {
                fd,
                len: self.len(2)?,
                flags: 0,
            },
            "readv" => Op::Receive {
                fd,
                len: self.vectors(1)?,
                flags: 0,
            },
            "recv" | "recvfrom" => Op::Receive {
                fd,
                len: self.len(2)?,
                flags: self.int(3)?,
            },
            other => return Err(format!("the call `{other}` is not known here")),
        })
    }

    fn socket(&self) -> Result<Op, String> {
        let v6 = match self.arg(0)? {
            Expr::Ellipsis => self.settings.family != Family::V4,
            domain => number(domain)? == i64::from(libc::AF_INET6),
        };
        let kind = self.int(1)?;
        let nonblocking = i64::from(libc::SOCK_NONBLOCK);
        let bare = kind & !nonblocking & !i64::from(libc::SOCK_CLOEXEC);
        let datagram = bare == i64::from(libc::SOCK_DGRAM);
        if !datagram && bare != i64::from(libc::SOCK_STREAM) {
            return Err("a socket is of SOCK_STREAM or SOCK_DGRAM here".into());
        }
        Ok(Op::Socket {
            v6,
            datagram,
            nonblocking: kind & nonblocking != 0,
        })
    }

    fn arg(&self, at: usize) -> Result<&Expr, String> {
        self.call
            .args
            .get(at)
            .ok_or_else(|| format!("`{}` lacks argument {}", self.call.name, at + 1))
    }

    fn int(&self, at: usize) -> Result<i64, String> {
        number(self.arg(at)?)
    }

    fn len(&self, at: usize) -> Result<usize, String> {
        let len = self.int(at)?;
        usize::try_from(len)
            .ok()
            .filter(|len| *len <= 64 << 20)
            .ok_or_else(|| format!("{len} is no length from 0 to 64 MiB"))
    }

    /// The bytes of `[{..., 1000}, {..., 2000}]`.
    fn vectors(&self, at: usize) -> Result<usize, String> {
        let Expr::List(vectors) = self.arg(at)? else {
            return Err("vectors are written `[{..., 1000}, {..., 500}]`".into());
        };
        let mut total = 0usize;
        for vector in vectors {
            let Expr::Struct(fields) = vector else {
                return Err("a vector is written `{..., 1000}`".into());
            };
            let len = fields.last().map_or(Ok(0), |(_, len)| number(len))?;
            total = total.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        }
        if total > 64 << 20 {
            return Err("vectors hold at most 64 MiB together".into());
        }
        Ok(total)
    }

    fn value(&self, at: usize) -> Result<Value, String> {
        let expr = match self.arg(at)? {
            Expr::List(items) => items.first().ok_or("an option has a value, as in `[1]`")?,
            other => other,
        };
        match expr {
            Expr::Text(text) => Ok(Value::Text(text.clone())),
            Expr::Struct(fields) => {
                let of_group = |name: &str| matches!(name, "imr_multiaddr" | "ipv6mr_multiaddr");
                let is_group =
                    |(name, _): &&(Option<String>, Expr)| name.as_deref().is_some_and(of_group);
                if let Some((_, group)) = fields.iter().find(is_group) {
                    return self.ip(group).map(Value::Group);
                }
                let field = |wanted: &str| {
                    let found = fields
                        .iter()
                        .find(|(name, _)| name.as_deref() == Some(wanted));
                    found.map_or_else(
                        || Err(format!("`{wanted}` is missing in this structure")),
                        |(_, value)| number(value),
                    )
                };
                Ok(Value::Linger {
                    on: field("onoff")? != 0,
                    seconds: field("linger")?,
                })
            }
            other => number(other).map(Value::Int),
        }
    }

    fn polled(&self) -> Result<Vec<(i64, i64)>, String> {
        let Expr::List(items) = self.arg(0)? else {
            return Err("poll takes `[{fd=3, events=POLLIN, revents=POLLIN}]`".into());
        };
        items
            .iter()
            .map(|item| Ok((field(item, "fd")?, field(item, "events")?)))
            .collect()
    }

    /// The address in argument `at`; `...` is the one given here.
    fn address(&self, at: usize, ip: IpAddr, port: u16) -> Result<SocketAddr, String> {
        let Expr::Struct(fields) = self.arg(at)? else {
            return match self.arg(at)? {
                Expr::Ellipsis => Ok(SocketAddr::new(ip, port)),
                _ => Err("an address is `...` or `{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"10.0.0.1\")}`".into()),
            };
        };
        let (mut ip, mut port) = (ip, port);
        for (name, value) in fields {
            match (name.as_deref(), value) {
                (Some("sin_port" | "sin6_port"), Expr::Apply(htons, args)) if htons == "htons" => {
                    let value = args.first().map_or(Ok(0), number)?;
                    port = u16::try_from(value).map_err(|_| format!("{value} is no port"))?;
                }
                (Some("sin_addr" | "sin6_addr"), value) => ip = self.ip(value)?,
                _ => {}
            }
        }
        Ok(SocketAddr::new(ip, port))
    }

    fn ip(&self, value: &Expr) -> Result<IpAddr, String> {
        let text = match value {
            Expr::Name(any) if any == "INADDR_ANY" => return Ok(Ipv4Addr::UNSPECIFIED.into()),
            Expr::Name(any) if any == "in6addr_any" => return Ok(Ipv6Addr::UNSPECIFIED.into()),
            Expr::Apply(_, args) => args.iter().find_map(|arg| match arg {
                Expr::Text(text) => Some(text),
                _ => None,
            }),
            Expr::Text(text) => Some(text),
            _ => None,
        };
        let parsed = text.and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| "an address is `inet_addr(\"10.0.0.1\")`".into())
    }
}

/// The number of an expression.
fn number(expr: &Expr) -> Result<i64, String> {
    match expr {
        Expr::Int(value) => Ok(*value),
        Expr::Name(name) if name == "NULL" => Ok(0),
        Expr::Name(name) => {
            names::constant(name).ok_or_else(|| format!("the constant `{name}` is not known here"))
        }
        Expr::Or(parts) => parts
            .iter()
            .try_fold(0, |sum, part| Ok(sum | number(part)?)),
        Expr::List(items) if items.len() == 1 => items.first().map_or(Ok(0), number),
        Expr::Ellipsis => Ok(0),
        other => Err(format!("a number is wanted here, and not {other:?}")),
    }
}

fn field(item: &Expr, wanted: &str) -> Result<i64, String> {
    let Expr::Struct(fields) = item else {
        return Err("a structure is wanted, as in `{fd=3, events=POLLIN}`".into());
    };
    let found = fields
        .iter()
        .find(|(name, _)| name.as_deref() == Some(wanted));
    found.map_or_else(
        || Err(format!("`{wanted}` is missing in this structure")),
        |(_, value)| number(value),
    )
}

/// What differs between what a call returned and what the script wants.
///
/// # Errors
///
/// The script's expectation has something in it that is not known.
pub(crate) fn differences(call: &Call, returned: &Returned) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    let seen = show(returned);
    match &call.result {
        Wanted::Any => {}
        Wanted::Value(value) => {
            let wanted = number(value)?;
            if returned.errno != 0 || returned.value != wanted {
                wrong.push(format!("`{}` returned {seen}, and not {wanted}", call.name));
            }
        }
        Wanted::Error(name) => {
            if Some(returned.errno) != names::errno(name) {
                wrong.push(format!(
                    "`{}` returned {seen}, and not -1 {name}",
                    call.name
                ));
            }
        }
    }
    wrong.extend(returned.wrong_data.clone());
    if returned.errno == 0 {
        for (at, (wanted, seen)) in wanted_out(call)?.into_iter().zip(&returned.out).enumerate() {
            if wanted.is_some_and(|wanted| wanted != *seen) {
                let wanted = wanted.unwrap_or_default();
                wrong.push(format!(
                    "value {} of `{}` is {seen}, and not {wanted}",
                    at + 1,
                    call.name
                ));
            }
        }
    }
    Ok(wrong)
}

/// What the script wants a call to write into its arguments.
fn wanted_out(call: &Call) -> Result<Vec<Option<i64>>, String> {
    let at = match call.name.as_str() {
        "getsockopt" => 3,
        "ioctl" => 2,
        "poll" => {
            let Some(Expr::List(items)) = call.args.first() else {
                return Ok(Vec::new());
            };
            return items
                .iter()
                .map(|item| field(item, "revents").map(Some))
                .collect();
        }
        _ => return Ok(Vec::new()),
    };
    Ok(match call.args.get(at) {
        None | Some(Expr::Ellipsis) => vec![None],
        Some(value) => vec![Some(number(value)?)],
    })
}

/// A result as a script writes it.
pub(crate) fn show(returned: &Returned) -> String {
    if returned.errno == 0 {
        returned.value.to_string()
    } else {
        format!("-1 {}", names::errno_name(returned.errno))
    }
}
