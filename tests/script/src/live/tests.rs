use std::path::Path;

use super::*;

#[test]
fn the_time_of_a_script_is_that_of_its_last_event() {
    let text =
        "1 close(3) = 0\n+2...4 close(4) = 0\n+3590~+3600 > . 1:1(0) ack 1\n* > . 1:1(0) ack 1\n";
    let script = crate::parse(Path::new("a.pkt"), text).expect("a script");
    assert_eq!(lasts(&script), Duration::from_secs(1 + 4 + 3600));
    assert!(lasts(&script) > LONGEST);
}
