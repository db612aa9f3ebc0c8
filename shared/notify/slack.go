package notify

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"example.com/keyturn/shared/alerting"
	"github.com/slack-go/slack"
)

// Slack posts alerts to an incoming webhook, as blocks.
type Slack struct {
	ID     string  // the channel's name; "" is slack
	URL    string  // of the incoming webhook; required, and a secret
	Client *Client // required
}

// Limits of Slack's blocks, in characters where nothing else is said, from
// docs.slack.dev/reference/block-kit: header-block, section-block and text-object. A
// message has at most 50 blocks; these have 17 at most.
const (
	slackHeader  = 150
	slackText    = 3000
	slackField   = 2000
	slackFields  = 10   // a section
	slackPreview = 1000 // far below the 40,000 of a message's text: it is what a phone shows
)

// Name is the channel's name.
func (s *Slack) Name() string { return cmp.Or(s.ID, "slack") }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (s *Slack) Deliver(ctx context.Context, a alerting.Alert) error {
	return s.Client.deliver(ctx, s, a, exchange{
		url: s.URL, body: slackMessage(compose(a, s.Client.from)),
		took: func(answer []byte) bool { return string(answer) == "ok" },
		said: slackSaid,
	})
}

// slackSaid is one of Slack's error codes, such as channel_is_archived.
func slackSaid(answer []byte) string {
	if said := strings.TrimSpace(string(answer)); word(said) {
		return said
	}
	return ""
}

// slackMessage renders a message. Sentences are plain text, where Slack reads no
// markup; values and commands are code, which nothing in them can end.
func slackMessage(m message) slack.WebhookMessage {
	blocks := []slack.Block{
		slack.NewHeaderBlock(slackPlain(headline(m)+": "+m.Title, slackHeader)),
		slackSection("", m.Sentence),
	}
	if m.Why != "" {
		blocks = append(blocks, slackSection("Why: ", m.Why))
	}
	if m.Progress != "" {
		blocks = append(blocks, slackSection("Now: ", m.Progress))
	}
	for some := range slices.Chunk(m.Facts, slackFields) {
		blocks = append(blocks, slack.NewSectionBlock(nil, slackFacts(some), nil))
	}
	blocks = append(blocks, slackCommands(m)...)
	if m.Runbook != "" {
		blocks = append(blocks, slackSection("Runbook: ", m.Runbook))
	}
	if links := slackLinks(m); links != "" {
		blocks = append(blocks, slack.NewContextBlock("", slackMarkup(links)))
	}
	no := false
	return slack.WebhookMessage{
		Text:        bounded(headline(m)+": "+m.Sentence, slackPreview, entity),
		Parse:       "none",
		UnfurlLinks: &no, UnfurlMedia: &no,
		Blocks: &slack.Blocks{BlockSet: blocks},
	}
}

// headline is severity and state, such as "CRITICAL open", and whether that is in doubt.
func headline(m message) string {
	h := strings.ToUpper(m.Severity) + " " + m.State
	if m.Doubtful {
		h += ", unproven"
	}
	return h
}

// slackCodeRune also keeps a text within the code that it stands in: Slack knows no
// escape for backticks.
func slackCodeRune(r rune) string {
	if r == '`' {
		return "'"
	}
	return entity(r)
}

// slackNameRune also takes away what emphasizes.
func slackNameRune(r rune) string {
	if strings.ContainsRune("*_~`:", r) {
		return " "
	}
	return entity(r)
}

func slackPlain(s string, limit int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, bounded(cmp.Or(s, "-"), limit, entity), false, false)
}

func slackSection(label, text string) slack.Block {
	return slack.NewSectionBlock(slackPlain(label+text, slackText), nil, nil)
}

// slackMarkup is markup that was escaped; Slack finds no further links in it.
func slackMarkup(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

func slackFacts(facts []fact) []*slack.TextBlockObject {
	var fields []*slack.TextBlockObject
	for _, f := range facts {
		name := bounded(f.Name, 3*maxName, slackNameRune)
		fields = append(fields, slackMarkup("*"+name+"*\n`"+bounded(f.Value, slackField-3*maxName-5, slackCodeRune)+"`"))
	}
	return fields
}

func slackCommands(m message) []slack.Block {
	var blocks []slack.Block
	for _, c := range m.commands() {
		text := "*" + c.Name + "*\n```" + bounded(c.Value, slackText-100, slackCodeRune) + "```"
		blocks = append(blocks, slack.NewSectionBlock(slackMarkup(text), nil, nil))
	}
	return blocks
}

func slackLinks(m message) string {
	var links []string
	for _, l := range m.links() {
		links = append(links, "<"+bounded(l.Value, slackText, entity)+"|"+l.Name+">")
	}
	return strings.Join(links, "  ·  ")
}
