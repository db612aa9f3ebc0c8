package channel

import (
	"fmt"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/notify"
)

// adapter makes that of a channel; what it cannot read is in s.err.
func (c *Channel) adapter(s *secrets) adapter {
	id := c.Name()
	switch k := c.definition.Settings.(type) {
	case alertfile.Slack:
		return &notify.Slack{ID: id, URL: s.text(k.Webhook), Client: c.client}
	case alertfile.Chat:
		return &notify.GoogleChat{ID: id, URL: s.text(k.Webhook), Client: c.client}
	case alertfile.PagerDuty:
		return &notify.PagerDuty{ID: id, RoutingKey: s.text(k.RoutingKey), Europe: k.Europe, Client: c.client}
	case alertfile.Email:
		return &notify.Mail{
			ID: id, Host: k.Host, Port: k.Port, Implicit: k.Implicit, From: k.From, To: k.To,
			Username: k.User, Password: s.text(k.Password), Client: c.client,
		}
	case alertfile.Alertmanager:
		return &notify.Alertmanager{ID: id, URL: k.URL, Username: k.User, Password: s.text(k.Password), Token: s.text(k.Token), Client: c.client}
	case alertfile.Webhook:
		w := &notify.Webhook{ID: id, URL: k.URL, Secret: s.payload(k.Key), Client: c.client}
		if k.SecretURL != "" {
			w.URL = s.text(k.SecretURL)
		}
		return w
	case alertfile.SCC:
		return &notify.SecurityCommandCenter{ID: id, Source: k.Source, Tokens: c.Tokens, Client: c.client}
	case alertfile.OCSF:
		return &notify.OCSF{ID: id, URL: k.URL, Token: s.text(k.Token), Client: c.client}
	}
	s.err = fmt.Errorf("channel %s is of no kind that is known", id)
	return nil
}
