package conformance

import (
	"slices"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
)

var filters = []behaviour{
	{"a filter lets matching messages through only", []Feature{Filter}, func(b *bench) {
		topic := b.topic("t")
		for i, tc := range []struct {
			filter string
			want   []string
		}{
			{`attributes:lang`, []string{"de", "en", "en-us"}},
			{`attributes.lang = "en"`, []string{"en"}},
			{`attributes.lang != "en"`, []string{"de", "en-us", "none"}},
			{`hasPrefix(attributes.lang, "en")`, []string{"en", "en-us"}},
			{`hasPrefix(attributes.lang, "en") AND NOT attributes:region`, []string{"en"}},
			{`attributes.lang = "de" OR (attributes:lang AND attributes.region = "us")`, []string{"de", "en-us"}},
			{`NOT attributes:lang`, []string{"none"}},
		} {
			sub := b.subscribe(topic, string(rune('a'+i)), func(s *pubsubpb.Subscription) { s.Filter = tc.filter })
			b.publish(topic,
				lingual("none", nil), lingual("de", map[string]string{"lang": "de"}), lingual("en", map[string]string{"lang": "en"}),
				lingual("en-us", map[string]string{"lang": "en-us", "region": "us"}))
			got := texts(b.pull(sub, len(tc.want)))
			slices.Sort(got)
			b.equal(tc.filter, got, tc.want)
			b.pullNone(sub, "the rest is filtered out")
		}
	}},
	{"a bad filter is refused", []Feature{Filter}, func(b *bench) {
		topic := b.topic("t")
		for _, f := range []string{`nonsense >`, `attributes.a =`, `(attributes:a`} {
			_, err := b.SubscriptionAdminClient.CreateSubscription(b.ctx, &pubsubpb.Subscription{
				Name: b.subName("s"), Topic: topic, AckDeadlineSeconds: 10, Filter: f,
			})
			b.code("subscribing with "+f, err, codes.InvalidArgument)
		}
	}},
}

func lingual(data string, attributes map[string]string) *pubsubpb.PubsubMessage {
	return &pubsubpb.PubsubMessage{Data: []byte(data), Attributes: attributes}
}
