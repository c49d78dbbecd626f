// SPDX-License-Identifier: Apache-2.0

package semconv

// The form of a published event as a log record. Its event name is the
// CloudEvent's type, its body the data's bytes, its time the event's. An attribute
// that the event does not have is absent.
const (
	CloudEventID              = "cloudevents.event_id"
	CloudEventSource          = "cloudevents.event_source"
	CloudEventType            = "cloudevents.event_type"
	CloudEventSubject         = "cloudevents.event_subject"
	CloudEventSpecVersion     = "cloudevents.event_spec_version"
	CloudEventDataContentType = "cloudevents.event_datacontenttype" // not of the semantic conventions
	CloudEventDataSchema      = "cloudevents.event_dataschema"      // not of the semantic conventions
	CloudEventExtension       = "cloudevents.ext."                  // followed by the extension's name
)

// LogRecordUID tells copies of one event apart from two events: an attribute of
// OpenTelemetry's conventions, and the id of the CloudEvent that a copy of the event is.
const LogRecordUID = "log.record.uid"

// Metrics of events.
const (
	EventPublishes  = "otelplat.event.publishes"            // counter, {event}: by outcome, "stored", "refused" or "uncertain"
	EventDeliveries = "otelplat.event.deliveries"           // counter, {delivery}: by subscription and outcome, "done", "retried", "dead" or "unsettled"
	EventLeftBehind = "otelplat.event.handlers.left_behind" // up-down counter, {handler}: still running after their time
)

// Events of subscriptions.
const (
	EventEventDead = "otelplat.event.dead" // an event went to the dead letters, with the reason
)

// Attributes of events.
const (
	EventSubscription = "otelplat.event.subscription" // name of the subscription
	EventOutcome      = "otelplat.event.outcome"      // of a publish or a delivery
	EventAttempts     = "otelplat.event.attempts"     // how often the event was tried
)
