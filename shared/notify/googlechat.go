package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"example.com/keyturn/shared/alerting"
)

// GoogleChat posts alerts to an incoming webhook, as cards. All alerts of an
// incident are one thread.
type GoogleChat struct {
	ID     string  // the channel's name; "" is google-chat
	URL    string  // of the incoming webhook, with its key and token; required, and a secret
	Client *Client // required
}

// Limits of Google Chat. A message, cards included, has at most 32,000 bytes
// (developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create),
// a card at most 100 widgets; these have 36 at most. Texts have no limit of their own.
const (
	chatMessage = 32_000
	chatText    = 4000
	chatLine    = 120 // a header is one line
)

// Name is the channel's name.
func (g *GoogleChat) Name() string { return cmp.Or(g.ID, "google-chat") }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (g *GoogleChat) Deliver(ctx context.Context, a alerting.Alert) error {
	return g.Client.deliver(ctx, g, a, exchange{url: threaded(g.URL, a.ID), body: chatFitting(a, compose(a, g.Client.from)), took: googleTook, said: googleSaid})
}

// threaded has Chat reply to the incident's thread, or begin it, and take the same
// alert once however often it is posted. A URL that is none stays so.
func threaded(raw, id string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	q := u.Query()
	q.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	q.Set("requestId", id)
	u.RawQuery = q.Encode()
	return u.String()
}

// chatFitting renders an alert, with as many facts as fit.
func chatFitting(a alerting.Alert, m message) chatPost {
	for {
		rendered := chatMessageOf(m, a.Incident)
		body, err := json.Marshal(rendered)
		if err != nil || len(body) <= chatMessage || len(m.Facts) == 0 {
			return rendered
		}
		m.Facts = m.Facts[:len(m.Facts)-1]
	}
}

func chatMessageOf(m message, incident string) chatPost {
	widgets := []chatWidget{chatParagraph("", m.Sentence)}
	if m.Why != "" {
		widgets = append(widgets, chatParagraph("Why", m.Why))
	}
	if m.Progress != "" {
		widgets = append(widgets, chatParagraph("Now", m.Progress))
	}
	for _, f := range m.Facts {
		widgets = append(widgets, chatWidget{DecoratedText: &chatDecorated{
			TopLabel: bounded(f.Name, chatText, entity), Text: bounded(f.Value, chatText, entity), WrapText: true,
		}})
	}
	for _, c := range m.commands() {
		widgets = append(widgets, chatParagraph(c.Name, c.Value))
	}
	if m.Runbook != "" {
		widgets = append(widgets, chatParagraph("Runbook", m.Runbook))
	}
	if buttons := chatButtons(m); len(buttons) > 0 {
		widgets = append(widgets, chatWidget{ButtonList: &chatButtonList{Buttons: buttons}})
	}
	return chatPost{
		FallbackText: bounded(headline(m)+": "+m.Title, chatLine, chatPlainRune),
		Thread:       chatThread{ThreadKey: Printable(incident, maxName)},
		CardsV2: []chatCardWithID{{CardID: "alert", Card: chatCard{
			Header:   chatHeader{Title: headline(m), Subtitle: bounded(m.Title, chatLine, chatPlainRune)},
			Sections: []chatSection{{Widgets: widgets}},
		}}},
	}
}

func chatParagraph(label, text string) chatWidget {
	text = bounded(text, chatText, entity)
	if label != "" {
		text = fmt.Sprintf("<b>%s</b><br>%s", label, text)
	}
	return chatWidget{TextParagraph: &chatRichText{Text: text, TextSyntax: "HTML"}}
}

func chatButtons(m message) []chatButton {
	var buttons []chatButton
	for _, l := range m.links() {
		buttons = append(buttons, chatButton{Text: l.Name, OnClick: chatOnClick{chatLink{l.Value}}})
	}
	return buttons
}

// chatPlainRune is for texts of which Chat does not say whether they may hold
// markup, mentions (<users/all>) included.
func chatPlainRune(r rune) string {
	switch r {
	case '<':
		return "‹"
	case '>':
		return "›"
	case '&':
		return "+"
	case '*', '_', '~', '`':
		return " "
	}
	return string(r)
}
