//! `netstack bridge`: two devices, and what is between them.

mod private;
mod report;
mod side;
mod watch;

use std::time::{Duration, Instant};

use netstack::bridge::BridgeBuilder;
use netstack::{Bridge, Interface, IpCidr};
use txbuf::Ledger;

use crate::args::{self, Mode};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::serve::stop::Stop;
use private::Commands;
use report::Reporter;
use side::{Opened, Plan};
use watch::Watch;

/// How often the devices are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Carries packets until the end has come.
pub(crate) fn run(options: &args::Bridge) -> Result<Outcome, Failure> {
    options.network.check().map_err(Failure::new)?;
    let plans = if options.private {
        // While the process has one thread.
        private::enter(options)?
    } else {
        side::plans(options)?
    };
    let mut stop = Stop::install()?;
    let ledger = Ledger::new();
    let [left, right] = plans;
    let mut commands = Commands::new(options, [&left, &right]);
    let (left, right) = (side::open(left, &ledger)?, side::open(right, &ledger)?);
    warn_of_sizes(options, &left, &right);
    let names = [left.name.clone(), right.name.clone()];
    let (left, right) = (left.begin()?, right.begin()?);
    let tails = [left.tail, right.tail];
    let bridge = build(options, left.interface, right.interface).start();
    let bridge = bridge.map_err(Failure::of)?;
    if commands.are_none() {
        output::line("ready")?;
    }
    commands.start()?;
    stop.start_clock(options.run_for);
    let watch = Watch::new(names.clone());
    let mut reporter = Reporter::new(names, options.json);
    let carried = carry(
        &stop,
        &bridge,
        &mut commands,
        &tails,
        watch,
        options.stats.then_some(&mut reporter),
    );
    let outcome = commands.end();
    let end = bridge.stop().map_err(Failure::of)?;
    // The devices go before what is to be put back on the kernel's side, and before their captures end.
    drop(end.devices);
    let tails = tails.map(side::Tail::finish);
    // Whatever the end, the totals are told.
    let told = output::print(&reporter.summary(&end.report));
    let tailed = tails.into_iter().collect::<Result<(), Failure>>();
    carried.and(told).and(tailed)?;
    Ok(outcome)
}

fn build(options: &args::Bridge, left: Interface, right: Interface) -> BridgeBuilder {
    let builder = match options.mode {
        Mode::Wire => Bridge::wire(left, right),
        Mode::Route => Bridge::route(left, right),
    };
    let [there, back] = options.network.impairments();
    let seed = options.network.seed;
    let builder = match there.is_none() {
        true => builder,
        false => builder.left_to_right(there.pipeline(seed, 0)),
    };
    match back.is_none() {
        true => builder,
        false => builder.right_to_left(back.pipeline(seed, 1)),
    }
}

/// Waits for the end, printing counters on the way.
fn carry(
    stop: &Stop,
    bridge: &Bridge,
    commands: &mut Commands,
    tails: &[side::Tail; 2],
    mut watch: Watch,
    mut reporter: Option<&mut Reporter>,
) -> Result<(), Failure> {
    let mut tick = Instant::now() + LOOK;
    loop {
        if stop.wait(Some(tick)) || commands.have_ended()? {
            return Ok(());
        }
        if Instant::now() < tick {
            continue;
        }
        tick += LOOK;
        let report = bridge.report().map_err(Failure::of)?;
        watch.look(&report, tails)?;
        if let Some(reporter) = &mut reporter {
            output::line(&reporter.line(&report))?;
        }
    }
}

fn warn_of_sizes(options: &args::Bridge, left: &Opened, right: &Opened) {
    if options.mode == Mode::Wire && left.mtu != right.mtu {
        output::complain(&format!(
            "{} takes packets of {} bytes and {} of {}: the wire drops and counts what does not fit; give --mtu, or --mode route",
            left.name, left.mtu, right.name, right.mtu
        ));
    }
}

/// An interface of the bridge with the addresses and routes that a router has there.
fn interface(plan: &Plan, device: Box<dyn drivers::Device>) -> Interface {
    let cidr = |cidr: &drivers::netlink::Cidr| IpCidr::new(cidr.address().into(), cidr.prefix());
    let interface = Interface::new(plan.label, device);
    let interface = plan.router.iter().fold(interface, |interface, address| {
        interface.address(cidr(address))
    });
    plan.routes.iter().fold(interface, |interface, route| {
        interface.route(cidr(route), None)
    })
}
