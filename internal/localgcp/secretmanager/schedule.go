package secretmanager

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// arm sets the clock's timers of a secret to what its resource says.
func (s *Service) arm(sec *secret) {
	sec.disarm()
	if expiry := sec.resource.GetExpireTime(); expiry != nil {
		sec.cancels = append(sec.cancels, s.at(expiry, func() { s.expire(sec, expiry) }))
	}
	if rotation := sec.resource.GetRotation().GetNextRotationTime(); rotation != nil {
		sec.cancels = append(sec.cancels, s.at(rotation, func() { s.rotate(sec, rotation) }))
	}
}

func (sec *secret) disarm() {
	for _, cancel := range sec.cancels {
		cancel()
	}
	sec.cancels = nil
}

// armVersion sets the clock's timer for the destruction of a version, if scheduled.
func (s *Service) armVersion(sec *secret, v *version) {
	v.disarm()
	if due := v.states.newest().GetScheduledDestroyTime(); due != nil {
		v.cancelDestroy = s.at(due, func() { s.destroyScheduled(sec, v, due) })
	}
}

func (v *version) disarm() {
	if v.cancelDestroy != nil {
		v.cancelDestroy()
		v.cancelDestroy = nil
	}
}

// at runs f under the lock when the clock reaches t.
func (s *Service) at(t *timestamppb.Timestamp, f func()) (cancel func()) {
	return s.cfg.Clock.At(t.AsTime(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	})
}

// The functions below run from a timer, which may have fired just before it
// was cancelled: each checks that what it was set for still stands.

func (s *Service) expire(sec *secret, due *timestamppb.Timestamp) {
	if s.stored(sec) && proto.Equal(sec.resource.GetExpireTime(), due) {
		s.remove(sec, "EXPIRATION")
	}
}

// rotate tells the topics that it is time to rotate, and advances the schedule
// whether or not anyone does. Without a period there is no next time [mem].
func (s *Service) rotate(sec *secret, due *timestamppb.Timestamp) {
	if !s.stored(sec) || !proto.Equal(sec.resource.GetRotation().GetNextRotationTime(), due) {
		return
	}
	next := proto.CloneOf(sec.resource)
	if period := next.GetRotation().GetRotationPeriod(); period == nil {
		next.Rotation = nil
	} else {
		next.Rotation.NextRotationTime = timestamppb.New(following(due.AsTime(), period.AsDuration(), s.cfg.Clock.Now()))
	}
	s.put(sec, next)
	s.notifySecret("SECRET_ROTATE", next)
}

// following is the first time after now that is whole periods after due.
func following(due time.Time, period time.Duration, now time.Time) time.Time {
	missed := max(0, now.Sub(due)/period)
	return due.Add((missed + 1) * period)
}

func (s *Service) destroyScheduled(sec *secret, v *version, due *timestamppb.Timestamp) {
	current := v.states.newest()
	if !s.stored(sec) || !proto.Equal(current.GetScheduledDestroyTime(), due) {
		return
	}
	next := proto.CloneOf(current)
	s.destroy(v, next)
	s.putVersion(sec, v, next)
	s.notifyVersion("SECRET_VERSION_DESTROY", sec.resource, next)
}

// stored reports whether sec has been neither deleted nor replaced by a
// secret of the same name.
func (s *Service) stored(sec *secret) bool { return s.secrets[sec.resource.GetName()] == sec }
