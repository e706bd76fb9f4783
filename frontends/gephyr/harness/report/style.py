"""The style of the page: no font, image or script from elsewhere; light or dark as the reader's system is."""

STYLE = """
:root { color-scheme: light dark; --ground: #fbfbfa; --panel: #fff; --ink: #1c1e21; --soft: #63676d; --rule: #e3e4e6;
  --served: #2f7fb8; --refused: #e69f00; --failed: #cf4a1d; --left: #9aa0a6; --flight: #2f7fb8;
  --stated: #f2c14e; --estimated: #f9e2ae; --out: #eba48f; --second: #7b4fa3; --good: #217a3c; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181b; --panel: #1e2125; --ink: #e6e7e9; --soft: #9da2a9;
  --rule: #33373c; --served: #5aa9de; --refused: #e0a526; --failed: #f0764c; --left: #767c84; --flight: #6fb9ea;
  --stated: #8a6510; --estimated: #4f4020; --out: #7c3220; --second: #b892dc; --good: #6cc284; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1080px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 17px; margin: 0 0 2px; } h1 + p, h2 + p { margin-top: 0; }
p { color: var(--soft); margin: 4px 0 12px; } code { font-size: 13px; overflow-wrap: anywhere; }
section { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 16px; margin: 16px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 16px 0; }
.tile { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; font-weight: 600; } .tile span { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; font-size: 13px; }
td.words { text-align: left; white-space: normal; } .better { color: var(--good); } .worse { color: var(--bad); }
.trouble { border-color: var(--bad); } .trouble h2 { color: var(--bad); } pre { overflow-x: auto; font-size: 12px; }
svg { display: block; width: 100%; height: auto; } text { font-size: 12px; fill: var(--soft); }
.name { text-anchor: end; } .time { text-anchor: middle; }
.grid { stroke: var(--rule); } .base { stroke: var(--rule); } .line { fill: none; stroke-width: 1.6;
  stroke-linejoin: round; stroke-linecap: round; } .line.first { stroke: var(--served); }
.line.second { stroke: var(--second); } .line.third { stroke: var(--failed); }
.served { fill: var(--served); } .refused { fill: var(--refused); } .failed { fill: var(--failed); }
.left { fill: var(--left); } .flight { fill: var(--flight); } .stated { fill: var(--stated); }
.estimated { fill: var(--estimated); } .disabled, .down { fill: var(--out); }
.removed { fill: var(--rule); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 13px; margin: 0 0 8px; }
.legend svg { display: inline-block; width: 12px; height: 12px; margin-right: 5px; vertical-align: -1px; }
.legend .line { stroke-width: 4; }
footer { color: var(--soft); font-size: 13px; }
"""
