use std::sync::Mutex;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::Alarm;

/// Several threads leave work and ring; the sleeper follows the protocol and must never sleep on work.
#[test]
fn no_wake_up_is_lost() {
    const THREADS: u32 = 3;
    const ITEMS: u32 = 20_000;
    let alarm = Alarm::new().unwrap();
    let work = Mutex::new(0_u32);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for item in 0..ITEMS {
                    *work.lock().unwrap() += 1;
                    alarm.ring();
                    if item % 64 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut done = 0;
        let mut sleeps = 0;
        while done < THREADS * ITEMS {
            let found = std::mem::take(&mut *work.lock().unwrap());
            done += found;
            if found > 0 {
                continue;
            }
            alarm.prepare();
            if *work.lock().unwrap() == 0 && done < THREADS * ITEMS && alarm.fall_asleep() {
                assert!(sleep(&alarm, 5), "asleep for five seconds with work left");
                sleeps += 1;
            }
            alarm.awake();
        }
        assert!(sleeps > 0);
    });
}

#[test]
fn an_alarm_nobody_sleeps_on_is_silent() {
    let alarm = Alarm::new().unwrap();
    alarm.ring();
    assert!(!sleep(&alarm, 0));
    alarm.prepare();
    assert!(alarm.fall_asleep());
    alarm.ring();
    alarm.ring();
    assert!(sleep(&alarm, 0));
    assert!(!sleep(&alarm, 0));
}

#[test]
fn ringing_at_open_eyes_makes_no_system_call() {
    let alarm = Alarm::new().unwrap();
    alarm.prepare();
    assert!(!alarm.has_rung());
    alarm.ring();
    assert!(alarm.has_rung() && !alarm.fall_asleep());
    assert!(!sleep(&alarm, 0));
}

/// Whether the alarm rang within `seconds`.
fn sleep(alarm: &Alarm, seconds: i64) -> bool {
    let fd = alarm.fd();
    let timeout = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let rang =
        rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0;
    alarm.clear();
    rang
}
