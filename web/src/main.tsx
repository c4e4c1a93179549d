// SPDX-License-Identifier: Apache-2.0
import './style/base.css';
import './style/shell.css';
import './style/timebar.css';
import './style/parts.css';
import './style/market.css';
import './style/coin.css';
import './style/history.css';
import './style/pipeline.css';
import './style/quality.css';
import { render } from 'preact';
import { App } from './app';
import { watchLive } from './data/live';
import { watchStatus } from './data/status';
import { followAddress } from './lib/route';
import { applyTheme } from './lib/theme';

applyTheme();
followAddress();
watchLive();
watchStatus();
render(<App />, document.getElementById('app')!);
