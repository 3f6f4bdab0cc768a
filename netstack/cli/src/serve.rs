//! `netstack serve`: a stack on a TUN or TAP device, and the services on it.

mod addresses;
mod device;
mod http;
pub(crate) mod restore;
mod services;
mod stats;
pub(crate) mod stop;
mod web;

use std::io;
use std::time::{Duration, Instant};

use drivers::Device;
use drivers::tap::Capture;
use netstack::{Interface, InterfaceStatus, IpCidr, Netstack};
use txbuf::Account;

use crate::args::{Serve, Service, ServiceKind};
use crate::failure::{Failure, Outcome};
use crate::output;
use addresses::Addresses;
use device::Opened;
use stats::Meter;
use stop::Stop;

pub(crate) use device::receive_pool;
pub(crate) use http::Files;
pub(crate) use services::everywhere;
pub(crate) use web::Web;

/// How long closed connections may take to deliver what they have left when the end has come.
const GRACE: Duration = Duration::from_secs(1);
/// How often the device is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until the end has come.
pub(crate) fn run(options: &Serve) -> Result<Outcome, Failure> {
    let services = services::chosen(options)?;
    let files = web_root(options, &services)?;
    // Before anything is set up, so that a signal from now on takes it down in order.
    let mut stop = Stop::install()?;
    let Opened {
        queues,
        name,
        capture,
        restore,
    } = device::open(options)?;
    let net = start(options, &name, queues, &services)?;
    let web = match files {
        Some(files) => Some(Web::start(&net, &services, files)?),
        None => None,
    };
    output::line("ready")?;
    stop.start_clock(options.run_for);
    let mut meter = options.stats.then(|| Meter::start(&name, options.json));
    let (capture, place) = capture.unzip();
    let addresses = Addresses::note(restore.netns().cloned(), &name);
    let served = serve_until(&stop, &net, capture.as_ref(), addresses, meter.as_mut());

    drop(web);
    let shutdown = net.shutdown(GRACE).map_err(Failure::of)?;
    drop(shutdown.devices);
    // Before the capture, whose end may be waited for.
    let restored = restore.finish();
    let captured = capture.map(Capture::finish).transpose();
    // Whatever the end, the totals are told.
    let report = captured.as_ref().map_or(None, |report| *report);
    let told = meter.map_or(Ok(()), |meter| {
        output::print(&meter.summary(&shutdown.shard_counters, &shutdown.interfaces, report))
    });
    let captured = match (captured, place) {
        (Err(error), Some(place)) => Err(place.failure(&error)),
        _ => Ok(()),
    };
    served.and(captured).and(told).and(restored)?;
    Ok(Outcome::Fine)
}

/// Waits for the end, looking at the device and printing counters on the way.
fn serve_until(
    stop: &Stop,
    net: &Netstack,
    capture: Option<&Capture>,
    mut addresses: Addresses,
    mut meter: Option<&mut Meter>,
) -> Result<(), Failure> {
    let mut tick = Instant::now();
    let mut told = None;
    let (mut is_capture_lost, mut is_size_told) = (false, false);
    loop {
        tick += LOOK;
        if stop.wait(Some(tick)) {
            return Ok(());
        }
        let interfaces = net.interfaces().map_err(Failure::of)?;
        told = tell_of_device(&interfaces, told)?;
        if let Some(loss) = addresses.look() {
            output::complain(&loss);
        }
        if !is_size_told && interfaces.iter().any(|one| one.device.rx_too_big > 0) {
            is_size_told = true;
            output::complain(
                "the kernel sends packets larger than the MTU that the device had at the start, which are dropped \
                 (rx_too_big); set its MTU back, or start the command again",
            );
        }
        if !is_capture_lost && capture.is_some_and(Capture::has_failed) {
            is_capture_lost = true;
            output::complain(
                "the capture cannot be written any more; the service goes on without it",
            );
        }
        if let Some(meter) = &mut meter {
            let counters = net.inspect(|stack| stack.counters().clone());
            let counters = counters.map_err(Failure::of)?;
            output::line(&meter.line(&counters, &interfaces))?;
        }
    }
}

/// Says once what is wrong with the device; when it is gone for good, that is the end.
fn tell_of_device(
    interfaces: &[InterfaceStatus],
    told: Option<String>,
) -> Result<Option<String>, Failure> {
    let Some(error) = interfaces
        .iter()
        .find_map(|interface| interface.error.as_ref())
    else {
        return Ok(None);
    };
    let sentence = error.to_string();
    if error.kind() == io::ErrorKind::NotConnected {
        return Err(Failure::new(sentence));
    }
    if told.as_ref() != Some(&sentence) {
        output::complain(&sentence);
    }
    Ok(Some(sentence))
}

fn start(
    options: &Serve,
    name: &str,
    queues: Vec<(Box<dyn Device>, Account)>,
    services: &[Service],
) -> Result<Netstack, Failure> {
    let mut queues = queues.into_iter();
    let Some((first, arena)) = queues.next() else {
        return Err(Failure::new(format!("device {name} has no queue")));
    };
    let mut interface = Interface::new(name, first).arena(&arena);
    for (queue, arena) in queues {
        interface = interface.queue(queue).arena(&arena);
    }
    for addr in &options.addr {
        interface = interface.address(IpCidr::new(addr.address().into(), addr.prefix()));
    }
    // Whoever reaches the stack through the device is answered through it.
    for everything in services::default_routes(&options.addr) {
        interface = interface.route(everything, None);
    }
    let congestion = options.congestion;
    let builder = Netstack::builder()
        .configure(move |config| config.tcp.congestion = congestion)
        .interface(interface)
        .busy_poll(options.busy_poll.unwrap_or_default());
    services::add(builder, services, options)
        .start()
        .map_err(Failure::of)
}

/// The files of the http service, when there is one.
fn web_root(options: &Serve, services: &[Service]) -> Result<Option<Files>, Failure> {
    let is_web = services
        .iter()
        .any(|service| service.kind == ServiceKind::Http);
    match (&options.http_root, is_web) {
        (None, false) => Ok(None),
        (None, true) => Err(Failure::new(
            "the http service needs a directory of files: add --http-root DIR",
        )),
        (Some(_), false) => Err(Failure::new(
            "--http-root is of use to the http service only: add --service http:80",
        )),
        (Some(root), true) => match Files::new(root) {
            Ok(files) => Ok(Some(files)),
            Err(error) => Err(Failure::new(format!(
                "cannot give out files from {}: {error}; name a readable directory with --http-root",
                root.display()
            ))),
        },
    }
}
