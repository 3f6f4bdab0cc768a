//! What a script consists of, once it is read.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A script: settings and events in the order in which they stand in the file.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file, for messages.
    pub path: PathBuf,
    /// Its text, for messages.
    pub text: String,
    /// What `--name=value` lines say.
    pub settings: Settings,
    /// Whether the script says `// runs: everywhere`, and so describes what every host does.
    pub everywhere: bool,
    /// Why Linux does otherwise, as `// linux:` says.
    pub linux: Option<String>,
    /// Rules of the judge that the host may break here, and has to, as `// judge:` says.
    pub excepted: Vec<String>,
    /// Whether the script says `// ip: both`, and so holds over IPv6 as over IPv4.
    pub both: bool,
    /// What happens.
    pub events: Vec<Event>,
}

/// What the `--name=value` lines at the top of a script say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The version of IP, and whether sockets of IPv6 carry IPv4.
    pub family: Family,
    /// The address of the host under test.
    pub local: IpAddr,
    /// The address that the script plays.
    pub remote: IpAddr,
    /// The port of the host under test that `bind` with `...` means.
    pub bind_port: u16,
    /// The remote port that `connect` with `...` means.
    pub connect_port: u16,
    /// How far an event may be from its time.
    pub tolerance: Duration,
    /// The largest packet of the interface, in bytes.
    pub mtu: u32,
}

/// What sockets of a script speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 by sockets of IPv6.
    Mapped,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The line of the script, from one.
    pub line: usize,
    /// When it happens.
    pub when: When,
    /// What happens.
    pub action: Action,
}

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this time of the script.
    At(Duration),
    /// So long after the event before.
    After(Duration),
    /// Between these times of the script.
    Between(Duration, Duration),
    /// Between these times after the event before.
    AfterBetween(Duration, Duration),
    /// Whenever it happens.
    Any,
    /// A call that begins at one time and returns at the other; `relative` to the event before.
    Span {
        /// When the call is made.
        begin: Duration,
        /// When it returns.
        end: Duration,
        /// Whether both count from the event before.
        relative: bool,
    },
}

impl When {
    /// Whether it is a time of the script, whatever happened before.
    pub(crate) fn is_absolute(self) -> bool {
        match self {
            When::At(_) | When::Between(..) => true,
            When::Span { relative, .. } => !relative,
            When::After(_) | When::AfterBetween(..) | When::Any => false,
        }
    }

    /// The latest time at which it can be over, if the event before was over at `base`.
    pub(crate) fn latest(self, base: Duration) -> Duration {
        match self {
            When::At(at) | When::Between(_, at) => base.max(at),
            When::After(after) | When::AfterBetween(_, after) => base + after,
            When::Any => base,
            When::Span { end, relative, .. } => {
                if relative {
                    base + end
                } else {
                    base.max(end)
                }
            }
        }
    }
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// The script sends a packet to the host.
    Inbound(Packet),
    /// The host sends this packet.
    Outbound(Packet),
    /// The application makes a call.
    Call(Call),
    /// Settings of the host (`sysctl`), by their full names.
    Sysctl(Vec<(String, Vec<i64>)>),
    /// A line for the shell.
    Shell(String),
    /// Assertions on `TCP_INFO`.
    Code(Vec<Statement>),
}

/// A packet, with what the script says about its IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What is said about the IP header.
    pub ip: IpSpec,
    /// What the packet carries.
    pub body: Body,
}

/// What a script says about an IP header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpSpec {
    /// Where the packet comes from, if not from the other end of the conversation.
    pub src: Option<IpAddr>,
    /// Where it goes.
    pub dst: Option<IpAddr>,
    /// The bits that must be, and the mask of those that matter, of the traffic class.
    pub class: Option<Class>,
    /// The hop limit.
    pub ttl: Option<u8>,
    /// The flow label of IPv6.
    pub flow_label: Option<FlowLabel>,
    /// Whether a packet of the host forbids its fragmentation.
    pub dont_fragment: Option<bool>,
    /// What is done to a packet of the script before it leaves, and what a packet of the host has to look like.
    pub shape: Option<Box<Shape>>,
}

/// What a script says about a flow label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowLabel {
    /// It is this.
    Is(u32),
    /// It is one that the host chose, not zero, for all packets where the script says this.
    Chosen,
}

/// What is done to the headers of a packet that is right before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The identification, which a fragment of IPv6 has too.
    pub id: Option<u32>,
    /// Only these bytes of what IP carries, as a fragment.
    pub part: Option<(u16, u16)>,
    /// What IP says that it carries.
    pub protocol: Option<u8>,
    /// Options of IPv4.
    pub options: Vec<u8>,
    /// Extension headers of IPv6: their kinds, and what follows the kind of the next one in them.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// What stands at a place of the packet.
    pub bytes: Vec<(u16, Vec<u8>)>,
    /// The checksum of what IP carries.
    pub sum: Sum,
    /// Whether the checksum of the IPv4 header is wrong.
    pub header_sum_wrong: bool,
    /// Only so many bytes of the packet leave.
    pub cut: Option<u16>,
}

/// A checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sum {
    /// As it should be.
    #[default]
    Right,
    /// One bit is another.
    Wrong,
    /// Zero: none.
    None,
}

/// What the traffic class has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Exactly this.
    Tos(u8),
    /// Of the two ECN bits, these.
    Ecn(u8),
    /// ECT(0) or ECT(1).
    Ect01,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram of so many bytes.
    Udp(u16),
    /// An ICMP message about a packet.
    Icmp(Icmp),
    /// A ping, or the answer to one.
    Echo(Echo),
    /// What hosts and routers say about multicast groups.
    Group(GroupMessage),
}

/// A message about multicast groups: of IGMP, or of MLD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMessage {
    /// Whether it is of MLD.
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The byte behind the type: of IGMP the time for answers.
    pub code: u8,
    /// What stands behind the checksum.
    pub rest: Vec<u8>,
}

/// A ping, or the answer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The type.
    pub kind: u8,
    /// The identifier.
    pub id: u16,
    /// The sequence number.
    pub seq: u16,
    /// The bytes of data.
    pub len: u16,
}

/// A TCP segment, in the script's sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The flags, as in the header, from FIN (bit 0) to AE (bit 8).
    pub flags: u16,
    /// The first sequence number.
    pub seq: u32,
    /// The bytes of data.
    pub len: u32,
    /// The acknowledgement.
    pub ack: Option<u32>,
    /// The window field.
    pub window: Option<u16>,
    /// The urgent pointer.
    pub urgent: Option<u16>,
    /// The options; `None` for `<...>`: any.
    pub options: Option<Vec<TcpOption>>,
}

/// A TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// End of the list.
    Eol,
    /// Nothing.
    Nop,
    /// Maximum segment size.
    Mss(u16),
    /// Window scale.
    Scale(u8),
    /// SACK is permitted.
    SackOk,
    /// SACK blocks.
    Sack(Vec<(u32, u32)>),
    /// Timestamps.
    Timestamps {
        /// The sender's clock.
        val: u32,
        /// What is echoed.
        ecr: u32,
    },
    /// Bytes as they are, whatever they mean.
    Raw(Vec<u8>),
    /// A fast open cookie, empty where one is asked for.
    FastOpen(Vec<u8>),
    /// The same as an experimental option.
    FastOpenExperiment(Vec<u8>),
}

/// An ICMP message about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Whether it is of ICMPv6.
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The MTU of the next hop.
    pub mtu: Option<u32>,
    /// The byte of the packet that is wrong.
    pub pointer: Option<u32>,
    /// What is quoted of the packet.
    pub quote: Quote,
}

/// The quoted packet of an ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    /// A segment with this first number and length.
    Tcp {
        /// The first sequence number, if it matters.
        range: Option<(u32, u32)>,
    },
    /// A datagram of so many bytes.
    Udp(u16),
}

/// A system call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// What it returns.
    pub result: Wanted,
}

/// What a call is to return.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// This number, or what the constants of this name stand for.
    Value(Expr),
    /// -1, and this `errno`.
    Error(String),
    /// Nothing is said.
    Any,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `...`: what the runner chooses.
    Ellipsis,
    /// A number.
    Int(i64),
    /// A name, such as that of a constant.
    Name(String),
    /// Values joined by `|`.
    Or(Vec<Expr>),
    /// Text.
    Text(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{name=value, ...}`, also without names.
    Struct(Vec<(Option<String>, Expr)>),
    /// A call of a function, such as `htons(80)`.
    Apply(String, Vec<Expr>),
}

/// A statement of `%{ }%`.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `assert condition, message`.
    Assert {
        /// The line, from one.
        line: usize,
        /// The text of the condition, for messages.
        text: String,
        /// The condition.
        condition: Term,
        /// What to say, and with which values.
        message: Option<Term>,
    },
    /// `print(values)`.
    Print(Vec<Term>),
    /// `name = value`.
    Assign(String, Term),
}

/// A number of the language in `%{ }%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i128),
    /// One with a point.
    Float(f64),
}

/// A term of the language in `%{ }%`.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A field of `TCP_INFO`, a constant or a variable.
    Name(String),
    /// `-a`.
    Minus(Box<Term>),
    /// `not a`.
    Not(Box<Term>),
    /// An operator between two terms.
    Binary(Operator, Box<Term>, Box<Term>),
    /// `a < b <= c`.
    Compare(Box<Term>, Vec<(Operator, Term)>),
    /// `abs(a)`, `min(a, b)`, `max(a, b)`, `str(a)`.
    Apply(String, Vec<Term>),
}

/// An operator of the language in `%{ }%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    Quotient,
    /// `%`
    Rem,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::of(Family::V4)
    }
}

impl Script {
    /// The same script over IPv6, with the addresses that are usual there.
    pub(crate) fn over_ipv6(&self) -> Script {
        let settings = Settings {
            tolerance: self.settings.tolerance,
            mtu: self.settings.mtu,
            bind_port: self.settings.bind_port,
            connect_port: self.settings.connect_port,
            ..Settings::of(Family::V6)
        };
        Script {
            settings,
            ..self.clone()
        }
    }
}

impl Settings {
    /// What holds where a script says nothing else.
    pub fn of(family: Family) -> Settings {
        let (local, remote) = match family {
            Family::V4 | Family::Mapped => ([192, 168, 0, 1].into(), [192, 0, 2, 1].into()),
            Family::V6 => (
                [0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1].into(),
                [0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1].into(),
            ),
        };
        Settings {
            family,
            local,
            remote,
            bind_port: 8080,
            connect_port: 8080,
            tolerance: Duration::from_millis(4),
            mtu: 1500,
        }
    }
}
