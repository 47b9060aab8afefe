//! Text for HTML.

/// Text that stands for itself, in content and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// A description's paragraphs.
pub(super) fn prose(text: &str) -> String {
    text.split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .map(|paragraph| format!("<p>{}</p>\n", inline(paragraph)))
        .collect()
}

/// The little Markdown that the document's descriptions use: `code` between backticks, and words between `**`.
pub(super) fn inline(text: &str) -> String {
    between(text, "**", |piece, strong| {
        let piece = between(piece, "`", |piece, code| {
            if code { format!("<code>{}</code>", escaped(piece)) } else { escaped(piece) }
        });
        if strong { format!("<strong>{piece}</strong>") } else { piece }
    })
}

/// Tells what stands between marks from the rest. A mark without its pair stands for itself.
fn between(text: &str, mark: &str, html: impl Fn(&str, bool) -> String) -> String {
    let mut written = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        let Some((inside, after)) = after.split_once(mark) else { break };
        written.push_str(&html(before, false));
        written.push_str(&html(inside, true));
        rest = after;
    }
    written.push_str(&html(rest, false));
    written
}

/// A name as an anchor: small letters and dashes.
pub(super) fn slug(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        assert_eq!(escaped("<b a=\"'&\">"), "&lt;b a=&quot;&#39;&amp;&quot;&gt;");
        assert_eq!(
            inline("a <i> `b <j>` **c <k>**"),
            "a &lt;i&gt; <code>b &lt;j&gt;</code> <strong>c &lt;k&gt;</strong>"
        );
        assert_eq!(inline("one ` alone"), "one ` alone");
        assert_eq!(inline("**a `b`**"), "<strong>a <code>b</code></strong>");
        assert_eq!(prose("a\n\nb"), "<p>a</p>\n<p>b</p>\n");
    }
}
