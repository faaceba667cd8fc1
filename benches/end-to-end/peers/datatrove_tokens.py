"""datatrove's tokenization, one task. usage: datatrove_tokens.py IN.jsonl.zst OUT TOKENIZER EOS"""

import os
import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer

if __name__ == "__main__":
    source, out, tokenizer, eos = sys.argv[1:]
    reader = JsonlReader(os.path.dirname(source), glob_pattern=os.path.basename(source), compression="zstd")
    writer = DocumentTokenizer(out, tokenizer, eos_token=eos, shuffle_documents=False, batch_size=1000)
    LocalPipelineExecutor([reader, writer], tasks=1, workers=1, logging_dir=f"{out}.logs", skip_completed=False).run()
