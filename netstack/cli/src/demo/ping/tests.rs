use super::*;

#[test]
fn an_answer_is_told_from_other_packets() {
    for (is_v4, kind, ip_header) in [(true, 0, 20), (false, 129, 0)] {
        let asked = request(is_v4, 3, SMALL);
        let mut packet = vec![0x45; ip_header];
        packet.extend(&asked);
        assert!(!answers(is_v4, &packet, &asked), "the request itself");
        packet[ip_header] = kind;
        assert!(answers(is_v4, &packet, &asked));
        assert!(!answers(is_v4, &packet, &request(is_v4, 4, SMALL)));
        assert!(!answers(is_v4, &packet[..packet.len() - 1], &asked));
        assert!(!answers(is_v4, &packet[..ip_header], &asked));
        assert!(!answers(is_v4, &[], &asked));
    }
}

#[test]
fn a_request_over_ipv4_has_its_checksum() {
    let asked = request(true, 7, 57);
    assert_eq!(txbuf::checksum::sum(&asked), 0xffff);
}
