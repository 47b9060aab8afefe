//! Where the hook is.

/// An address to post to.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// Whether the connection is encrypted.
    pub https: bool,
    /// `HOST` or `HOST:PORT`.
    pub authority: String,
    /// The path with its query; begins with a slash.
    pub path: String,
}

impl Target {
    /// Read an address: `https://hooks.example.com/openedx?site=1`. The error is a text for the operator.
    pub fn parse(url: &str) -> Result<Self, String> {
        // The address itself may hold a secret, so that no error repeats it.
        let wrong =
            |what: &str| Err(format!("url: {what}; write it as in \"https://hooks.example.com/openedx\""));
        if url.chars().any(|letter| !letter.is_ascii_graphic()) {
            return wrong("it has spaces, or letters that an address has only encoded");
        }
        if url.contains('#') {
            return wrong("a fragment (#) is never sent");
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return wrong("it has no scheme");
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return wrong("the scheme is neither https nor http"),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.is_empty() {
            return wrong("it has no host");
        }
        if authority.contains('@') {
            return wrong("it has a user name, which is not sent");
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { https, authority: authority.to_owned(), path: format!("{slash}{path}") })
    }

    /// The grant that lets a plugin post there.
    pub fn grant(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("http:{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (url, https, authority, path) in [
            ("https://hooks.example.com/openedx?site=1", true, "hooks.example.com", "/openedx?site=1"),
            ("HTTP://10.0.0.7:8080", false, "10.0.0.7:8080", "/"),
            ("https://[::1]:8443/", true, "[::1]:8443", "/"),
            ("https://example.com?a=//b", true, "example.com", "/?a=//b"),
        ] {
            let target = Target { https, authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(Target::parse(url), Ok(target), "{url}");
        }
    }

    #[test]
    fn the_grant_is_the_origin() {
        let grant = |url| Target::parse(url).unwrap().grant();
        assert_eq!(grant("https://hooks.example.com/secret/path"), "http:https://hooks.example.com");
        assert_eq!(grant("http://127.0.0.1:8080?x"), "http:http://127.0.0.1:8080");
    }

    #[test]
    fn what_is_no_address_is_told_without_repeating_it() {
        for (url, named) in [
            ("", "no scheme"),
            ("hush.example.com/path", "no scheme"),
            ("ftp://hush.example.com", "neither https nor http"),
            ("https:///hush", "no host"),
            ("https://user:hush@example.com/", "user name"),
            ("https://example.com/hush hush", "spaces"),
            ("https://hush.example.com/ü", "encoded"),
            ("https://hush.example.com/#part", "fragment"),
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.starts_with("url: ") && error.contains(named), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
