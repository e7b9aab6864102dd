// Package kinds has messages with everything that a field can be in proto3, generated as the contract's are, so that a
// test can hold the generated JSON encoders against protojson. No service speaks them.
package kinds
