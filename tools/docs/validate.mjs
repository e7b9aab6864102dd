// Validates an OpenAPI document: against the specification's own schema, and every reference in it.
// usage: node tools/docs/validate.mjs <file>
import SwaggerParser from "@apidevtools/swagger-parser";

const [file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node tools/docs/validate.mjs <file>");
  process.exit(2);
}
try {
  // References to the network or to other files are no part of a document that must stand alone.
  const document = await SwaggerParser.validate(file, { resolve: { external: false } });
  console.log(`${file}: OpenAPI ${document.openapi}, ${Object.keys(document.paths).length} paths, valid`);
} catch (problem) {
  console.error(`${file}: ${problem.message}`);
  process.exit(1);
}
