// Package archive writes what people get of their data: a zip file with a JSON file for each section, and a page that shows
// it. It writes as it is told, and holds no more than the first items of each section, for the page. It does no IO but by
// the writer it is given.
package archive

import (
	"archive/zip"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// shownItems and shownBytes are how much of a section the page shows; the rest is in its JSON file.
	shownItems = 100
	shownBytes = 256 << 10
)

// About is what the page says at its top.
type About struct {
	Deployment string
	Time       time.Time
}

// Writer writes one archive.
type Writer struct {
	about    About
	zip      *zip.Writer
	file     io.Writer
	sections []section
	bytes    int
}

type section struct {
	Name, Title string
	Count       int
	items       []string
}

// New returns a writer that writes to sink.
func New(sink io.Writer, about About) *Writer {
	packed := zip.NewWriter(sink)
	packed.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.DefaultCompression) })
	return &Writer{about: about, zip: packed}
}

// Section begins a section; its items follow.
func (w *Writer) Section(name, title string) error {
	if err := w.endSection(); err != nil {
		return err
	}
	if err := w.begin(name + ".json"); err != nil {
		return err
	}
	w.sections, w.bytes = append(w.sections, section{Name: name, Title: title}), 0
	return w.write("[")
}

// Item adds a JSON object to the section that was begun last.
func (w *Writer) Item(item string) error {
	if !json.Valid([]byte(item)) {
		return errors.New("an item is no JSON")
	}
	current := &w.sections[len(w.sections)-1]
	separator := "\n"
	if current.Count > 0 {
		separator = ",\n"
	}
	current.Count++
	if w.bytes += len(item); w.bytes <= shownBytes && len(current.items) < shownItems {
		current.items = append(current.items, item)
	}
	return w.write(separator + item)
}

// Close writes the page and ends the archive.
func (w *Writer) Close() error {
	if err := w.endSection(); err != nil {
		return err
	}
	if err := w.begin("index.html"); err != nil {
		return err
	}
	if err := w.writePage(); err != nil {
		return err
	}
	if err := w.zip.Close(); err != nil {
		return fmt.Errorf("end archive: %w", err)
	}
	return nil
}

func (w *Writer) begin(name string) (err error) {
	w.file, err = w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: w.about.Time})
	if err != nil {
		return fmt.Errorf("begin %s: %w", name, err)
	}
	return nil
}

func (w *Writer) endSection() error {
	if len(w.sections) == 0 {
		return nil
	}
	return w.write("\n]\n")
}

func (w *Writer) write(text string) error {
	if _, err := io.WriteString(w.file, text); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
