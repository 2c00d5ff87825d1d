//! Lengths of time in words.

/// A number of seconds: `8.3 ms`, `1.2 s`, `4.0 min`, `3.5 h`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.3} ms", 1e3 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A number of hours: `0.5 minutes`, `2.3 hours`.
pub fn hours(hours: f64) -> String {
    if hours < 1.0 { format!("{:.1} minutes", hours * 60.0) } else { format!("{hours:.1} hours") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_one_that_people_would_use() {
        let of = [0.0001, 0.00833, 1.2, 90.0, 240.0, 12_600.0].map(seconds);
        assert_eq!(of, ["0.100 ms", "8.3 ms", "1.2 s", "90.0 s", "4.0 min", "3.5 h"]);
        assert_eq!((hours(0.25), hours(2.34)), ("15.0 minutes".into(), "2.3 hours".into()));
    }
}
