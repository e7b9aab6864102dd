package main

import (
	"fmt"
	"strconv"
)

// boundedNumber is a flag that takes whole numbers from least to most.
type boundedNumber struct{ value, least, most int }

// String implements pflag.Value.
func (n *boundedNumber) String() string { return strconv.Itoa(n.value) }

// Set implements pflag.Value.
func (n *boundedNumber) Set(text string) error {
	number, err := strconv.Atoi(text)
	if err != nil || number < n.least || number > n.most {
		return fmt.Errorf("it takes a whole number from %d to %d", n.least, n.most)
	}
	n.value = number
	return nil
}

// Type implements pflag.Value.
func (n *boundedNumber) Type() string { return "number" }
