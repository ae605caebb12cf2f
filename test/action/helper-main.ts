/** facron's hidden helper, as src/main.ts runs it: for tests that are not of the built binary. */
import { runExecHelper } from "../../src/action/exec-helper.ts";

runExecHelper(process.argv.slice(3)); // bun, this file, "__exec"
